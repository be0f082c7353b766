package dashboards

import (
	"encoding/json"
	"fmt"
)

// Files returns the JSON of every dashboard by file name.
func Files() (map[string][]byte, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, d := range all {
		content, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", *d.Title, err)
		}
		files[*d.Uid+".json"] = append(content, '\n')
	}
	return files, nil
}
