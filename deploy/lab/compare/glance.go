package main

import "context"

// glanceOurs leaves out tasks, which the exporter's account may not list.
func glanceOurs(p page) readings {
	out := make(readings)
	p.each("openstack_glance_images", func(labels map[string]string, value float64) {
		if value != 0 {
			out.add("images, hidden "+labels["hidden"], labels["status"]+" "+labels["visibility"]+" "+labels["disk_format"], value)
		}
	})
	p.each("openstack_glance_project_images", func(labels map[string]string, value float64) {
		out.add("images of project", labels["project_id"], value)
	})
	p.each("openstack_glance_project_images_size_bytes", func(labels map[string]string, value float64) {
		out.add("bytes of project", labels["project_id"], value)
	})
	p.each("openstack_glance_tasks", func(labels map[string]string, value float64) {
		out.add("tasks", labels["type"]+" "+labels["status"], value)
	})
	return out
}

// glanceImage is a line of `openstack image list --long`.
type glanceImage struct {
	Format     string  `json:"Disk Format"`
	Size       float64 `json:"Size"`
	Status     string  `json:"Status"`
	Visibility string  `json:"Visibility"`
	Project    string  `json:"Project"`
}

func glanceReadings(shown, hidden []glanceImage) readings {
	out := make(readings)
	for thing, list := range map[string][]glanceImage{"images, hidden false": shown, "images, hidden true": hidden} {
		for _, v := range list {
			out.add(thing, v.Status+" "+v.Visibility+" "+v.Format, 1)
			out.add("images of project", v.Project, 1)
			out.add("bytes of project", v.Project, v.Size)
		}
	}
	return out
}

func glanceTheirs(ctx context.Context, c *clients) (readings, error) {
	var shown, hidden []glanceImage
	err := c.openstack(ctx, question{"image list --long --all", &shown}, question{"image list --long --all --hidden", &hidden})
	if err != nil {
		return nil, err
	}
	return glanceReadings(shown, hidden), nil
}
