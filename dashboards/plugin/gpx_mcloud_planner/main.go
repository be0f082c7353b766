// Command gpx_mcloud_planner is the back end of the Grafana data source. Grafana starts it
// and speaks gRPC with it; by hand it does nothing of use.
package main

import (
	"os"

	sdk "github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"

	"mcloud/dashboards/plugin/backend"
)

func main() {
	if err := datasource.Manage(backend.ID, backend.New, datasource.ManageOpts{}); err != nil {
		sdk.Logger.Error("the plugin ends", "error", err.Error())
		os.Exit(1)
	}
}
