package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// listen binds the address, with an error that says how to choose another.
func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(address, flag, err)
	}
	return l, nil
}

func listenError(address, flag string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: another program listens on %s; stop it, or choose another address with --%s", syscall.EADDRINUSE, address, flag)
	}
	return fmt.Errorf("%w; choose another address with --%s", err, flag)
}

// serve answers with handler, whom the front lets through to it, until ctx ends.
func serve(ctx context.Context, l net.Listener, front front, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           front.guard.Before(handler),
		TLSConfig:         front.tls,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() {
		if front.tls != nil {
			done <- server.ServeTLS(l, "", "")
			return
		}
		webConfig := front.listener.WebConfig // an exporter-toolkit file with TLS and basic authentication; empty means plain HTTP
		addresses, systemd := []string{l.Addr().String()}, false
		done <- web.Serve(l, server, &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &systemd, WebConfigFile: &webConfig}, slog.New(slog.DiscardHandler))
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close() // requests that do not end are cut
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
