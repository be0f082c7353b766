package parts

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
)

// front is what stands before a part's handler: who may ask it what, and TLS.
type front struct {
	listener config.Listener
	guard    *access.Guard
	tls      *tls.Config // nil without, and with web_config, which exporter-toolkit serves
}

// newFront makes it for the part called name, or says why that may not be served.
func newFront(f config.File, name string, policy access.Policy, logger *slog.Logger) (front, error) {
	made := front{listener: f.Listeners()[name]}
	own := ""
	if f.Access.Asks() {
		var err error
		if own, err = access.OwnToken(f.DataDir); err != nil {
			return made, err
		}
	}
	gate, err := access.New(access.Options{Access: f.Access, OwnToken: own, Logger: logger})
	if err != nil {
		return made, err
	}
	if err := gate.Check(made.listener); err != nil {
		return made, err
	}
	key := name + ".tls"
	if made.listener.TLS == f.Access.TLS {
		key = "access.tls"
	}
	if made.tls, err = access.TLS(made.listener.TLS, key, logger); err != nil {
		return made, err
	}
	made.guard = gate.Guard(name, policy)
	return made, nil
}

// register puts the front's metrics where the part's are.
func (a front) register(registry prometheus.Registerer) error {
	if err := registry.Register(a.guard); err != nil {
		return fmt.Errorf("metrics of who asks: %w", err)
	}
	return nil
}

// toCollector reaches the collector with what our programs present to it.
func toCollector(f config.File) (http.RoundTripper, error) {
	return access.Transport(access.ClientOf(f, "collector", f.Collector.URL != ""), f.CollectorURL())
}
