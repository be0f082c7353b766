package main

import "testing"

func TestKeystone(t *testing.T) {
	theirs := keystoneLists{
		projects:  decode[[]identityProject](t, `[{"ID":"1","Name":"acme","Domain ID":"default","Description":"","Enabled":true},{"ID":"2","Domain ID":"default","Enabled":false}]`),
		domains:   decode[[]identityProject](t, `[{"ID":"default","Name":"Default","Enabled":true,"Description":""}]`),
		users:     decode[[]identityUser](t, `[{"ID":"u","Name":"nova","Project":null,"Domain":"default","Enabled":true}]`),
		groups:    decode[[]identityProject](t, `[{"ID":"g","Name":"all","Domain ID":"default","Description":""}]`),
		roles:     decode[[]any](t, `[{"ID":"r","Name":"reader"},{"ID":"a","Name":"admin"}]`),
		services:  decode[[]identityService](t, `[{"ID":"s","Name":"heat","Type":"orchestration","Description":null,"Enabled":true}]`),
		endpoints: decode[[]identityEndpoint](t, `[{"ID":"e","Region":"RegionOne","Service Name":"heat","Service Type":"orchestration","Enabled":true,"Interface":"public","URL":"http://x"}]`),
	}.readings()
	ours := keystoneOurs(pageOf(t, `
openstack_identity_projects{cloud="lab",domain_id="default",enabled="true"} 1
openstack_identity_projects{cloud="lab",domain_id="default",enabled="false"} 1
openstack_identity_domains{cloud="lab",enabled="true"} 1
openstack_identity_users{cloud="lab",domain_id="default",enabled="true"} 1
openstack_identity_groups{cloud="lab",domain_id="default"} 1
openstack_identity_roles{cloud="lab"} 2
openstack_identity_regions{cloud="lab"} 0
openstack_identity_services{cloud="lab",enabled="true",type="orchestration"} 1
openstack_identity_endpoints{cloud="lab",enabled="true",interface="public",region="RegionOne",type="orchestration"} 1
`))
	wantSame(t, ours, theirs)
}

func TestGlance(t *testing.T) {
	theirs := glanceReadings(
		decode[[]glanceImage](t, `[{"ID":"1","Name":"a","Disk Format":"raw","Container Format":"bare","Size":4096,"Status":"active","Visibility":"shared","Project":"p"},
			{"ID":"2","Disk Format":"raw","Size":null,"Status":"queued","Visibility":"shared","Project":"p"}]`),
		decode[[]glanceImage](t, `[{"ID":"3","Disk Format":"qcow2","Size":512,"Status":"active","Visibility":"community","Project":"q"}]`))
	ours := glanceOurs(pageOf(t, `
openstack_glance_images{cloud="lab",container_format="bare",disk_format="raw",hidden="false",status="active",visibility="shared"} 1
openstack_glance_images{cloud="lab",container_format="bare",disk_format="raw",hidden="false",status="queued",visibility="shared"} 1
openstack_glance_images{cloud="lab",container_format="bare",disk_format="qcow2",hidden="true",status="active",visibility="community"} 1
openstack_glance_project_images{cloud="lab",project_id="p"} 2
openstack_glance_project_images{cloud="lab",project_id="q"} 1
openstack_glance_project_images_size_bytes{cloud="lab",project_id="p"} 4096
openstack_glance_project_images_size_bytes{cloud="lab",project_id="q"} 512
`))
	wantSame(t, ours, theirs)
}

func TestHeat(t *testing.T) {
	theirs := heatReadings(
		decode[[]heatStack](t, `[{"ID":"1","Stack Name":"a","Project":"p","Stack Owner":"alice","Stack Status":"CREATE_IN_PROGRESS","Creation Time":"2026-11-25T17:57:40Z","Updated Time":null}]`),
		decode[[]heatEngine](t, `[{"Hostname":"vm","Binary":"heat-engine","Host":"ctl-1","Status":"up"},{"Host":"ctl-1","Status":"down"}]`))
	ours := heatOurs(pageOf(t, `
openstack_heat_stacks{action="CREATE",cloud="lab",status="IN_PROGRESS"} 1
openstack_heat_project_stacks{cloud="lab",project_id="p"} 1
openstack_heat_engines{cloud="lab",host="ctl-1",status="up"} 1
openstack_heat_engines{cloud="lab",host="ctl-1",status="down"} 1
`))
	wantSame(t, ours, theirs)
}
