package ceph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// refusalHeader carries the errno of a command that the cluster refused.
const refusalHeader = "X-Errno"

// ServeHTTP answers a command in the body of a POST, so that another process can
// ask a simulated cluster: librados's protocol is not simulated.
func (m *Mon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var command map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&command); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := m.Command(r.Context(), command)
	if err != nil {
		if refused, is := err.(RefusedError); is {
			w.Header().Set(refusalHeader, strconv.Itoa(refused.Code))
		}
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // the client is gone: nobody to tell
}

// RemoteMon takes the monitor commands of a cluster that another process
// simulates.
type RemoteMon struct {
	url    string
	client *http.Client
}

// DialMon returns the Mon whose ServeHTTP is reached at an address
// ("127.0.0.1:41234") under a path.
func DialMon(address, path string) *RemoteMon {
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableCompression: true}
	return &RemoteMon{url: "http://" + address + path, client: &http.Client{Transport: transport}}
}

// Command answers one command as Mon.Command does.
func (m *RemoteMon) Command(ctx context.Context, command map[string]any) ([]byte, error) {
	body, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		if code, err := strconv.Atoi(resp.Header.Get(refusalHeader)); err == nil {
			prefix, _ := command["prefix"].(string)
			return nil, RefusedError{Code: code, Command: prefix}
		}
		return nil, fmt.Errorf("simulated monitors: %s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// Close ends the connections.
func (m *RemoteMon) Close() { m.client.CloseIdleConnections() }
