package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/planner/httpapi"
)

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 256 << 20

// client asks a planner.
type client struct {
	base *url.URL
	http *http.Client
}

func newClient(base string, present config.Client) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("planner URL %q: want http://host:port, by --url or MCLOUD_PLAN_URL", base)
	}
	if u.User != nil {
		return nil, errors.New("planner URL: it has a password in it, where others of this machine see it; use --user and --password-file, or --token-file")
	}
	if present.TokenFile != "" && present.User != "" || (present.User == "") != (present.PasswordFile == "") {
		return nil, errors.New("give --token-file, or --user and --password-file")
	}
	transport, err := access.Transport(present, base)
	if err != nil {
		return nil, err
	}
	return &client{base: u, http: &http.Client{Transport: transport}}, nil
}

// get asks for path and decodes the JSON of the answer into into; raw is the
// answer as it came.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) (raw []byte, err error) {
	return c.call(ctx, http.MethodGet, path, query, nil, into)
}

// call sends body as JSON unless it is nil.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body, into any) (raw []byte, err error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	defer c.tellWaiting()()
	resp, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return nil, c.unreachable(err)
	case len(raw) > maxAnswerBytes:
		return nil, fmt.Errorf("the answer of %s is larger than %d bytes", c.base.Redacted(), maxAnswerBytes)
	case resp.StatusCode != http.StatusOK:
		return nil, c.refused(resp, raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, fmt.Errorf("%s does not answer like a planner (%w): check --url", c.base.Redacted(), err)
	}
	return raw, nil
}

// unreachable says what to do about an error of the connection.
func (c *client) unreachable(err error) error {
	at := c.base.Redacted()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no planner answers at %s: start `mcloud run` or `mcloud-plan serve`, or name another with --url", at)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the planner at %s did not answer in time: allow more with --timeout, or look at %s/api/v1/status", at, at)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("the planner at %s cannot be reached: %w; name another with --url", at, err)
}

// refused turns a status other than 200 into the problem that the planner told.
func (c *client) refused(resp *http.Response, raw []byte) error {
	var p httpapi.Problem
	if json.Unmarshal(raw, &p) != nil || p.Message == "" {
		return fmt.Errorf("%s answered %s: is that a planner? check --url", c.base.Redacted(), resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		p.Cure += ", by --token-file or --user and --password-file"
	}
	if p.Cure != "" {
		return fmt.Errorf("%s; %s", p.Message, p.Cure)
	}
	return errors.New(p.Message)
}

// tellWaiting says on a terminal that the answer takes its time; the function it
// returns stops that.
func (c *client) tellWaiting() func() {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func() {}
	}
	told := make(chan struct{})
	t := time.AfterFunc(time.Second, func() {
		defer close(told)
		fmt.Fprintf(os.Stderr, "asking %s …", c.base.Redacted())
	})
	return func() {
		if !t.Stop() {
			<-told
			fmt.Fprint(os.Stderr, "\r"+strings.Repeat(" ", len(c.base.Redacted())+9)+"\r")
		}
	}
}
