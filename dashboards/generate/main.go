// Command generate writes every dashboard's JSON into the folder it is given.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"mcloud/dashboards"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FOLDER")
		os.Exit(2)
	}
	files, err := dashboards.Files()
	if err == nil {
		for name, content := range files {
			if err = os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
