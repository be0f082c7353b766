// Package alertmanager speaks version 2 of Alertmanager's API
// (prometheus/alertmanager:api/v2/openapi.yaml), as far as mCloud needs it: silences
// are made and expired, an alert is sent and looked after. It knows nothing of clouds.
package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 32 << 20

// timeout bounds one call: several are tried one after the other.
const timeout = 10 * time.Second

// Matcher selects alerts by a label: equal to Value, or as a whole matching it as a
// regular expression.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	// IsEqual is false for alerts that do not match.
	IsEqual bool `json:"isEqual"`
}

// Silence holds back the alerts that all its matchers select.
type Silence struct {
	Matchers  []Matcher `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
}

// Alert is one that is sent.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// Client asks the Alertmanagers of one cluster: they tell each other of silences, so the
// first one that answers is enough. Its methods may be called concurrently.
type Client struct {
	bases []string // http://host:port
	http  map[string]*http.Client
}

// Endpoint is one Alertmanager: its URL, with the prefix that it is served under, and how
// it is reached; nil is http.DefaultTransport.
type Endpoint struct {
	URL       string
	Transport http.RoundTripper
}

// New returns a client for them; they are tried in this order.
func New(endpoints ...Endpoint) (*Client, error) {
	if len(endpoints) == 0 {
		return nil, errors.New("no Alertmanager is named: set collector.alertmanagers")
	}
	c := &Client{http: map[string]*http.Client{}}
	for _, e := range endpoints {
		u, err := url.Parse(e.URL)
		if err != nil || u.Host == "" || u.User != nil {
			return nil, errors.New("an Alertmanager's address is not like http://host:port")
		}
		base := strings.TrimRight(e.URL, "/")
		c.bases = append(c.bases, base)
		c.http[base] = &http.Client{Transport: e.Transport}
	}
	return c, nil
}

// Bases are the addresses, in the order in which they are tried.
func (c *Client) Bases() []string { return c.bases }

// refused is an answer that another Alertmanager would give, too.
type refused struct{ error }

// Silence makes a silence and returns its id.
func (c *Client) Silence(ctx context.Context, s Silence) (string, error) {
	var made struct {
		ID string `json:"silenceID"`
	}
	err := c.any(ctx, func(base string) error { return c.call(ctx, http.MethodPost, base, "/api/v2/silences", s, &made) })
	if err == nil && made.ID == "" {
		err = errors.New("the Alertmanager gave the silence no id")
	}
	return made.ID, err
}

// Expire ends a silence. One that has ended, or is unknown, is no error.
func (c *Client) Expire(ctx context.Context, id string) error {
	err := c.any(ctx, func(base string) error {
		return c.call(ctx, http.MethodDelete, base, "/api/v2/silence/"+url.PathEscape(id), nil, nil)
	})
	// 404 from newer ones, 500 from older ones.
	if err != nil && (strings.Contains(err.Error(), "silence not found") || strings.Contains(err.Error(), "already expired") || strings.Contains(err.Error(), "404 Not Found")) {
		return nil
	}
	return err
}

// Send sends alerts to the Alertmanager at base, one of Bases: all must have them, as
// Prometheus does it.
func (c *Client) Send(ctx context.Context, base string, alerts ...Alert) error {
	return c.call(ctx, http.MethodPost, base, "/api/v2/alerts", alerts, nil)
}

// Receivers are the names of those that the Alertmanager at base tells of the alerts with
// the name, and whether something holds these back.
func (c *Client) Receivers(ctx context.Context, base, alertname string) (names []string, held bool, err error) {
	var found []struct {
		Receivers []struct {
			Name string `json:"name"`
		} `json:"receivers"`
		Status struct {
			State string `json:"state"`
		} `json:"status"`
	}
	query := url.Values{"filter": {fmt.Sprintf("alertname=%q", alertname)}}
	if err := c.call(ctx, http.MethodGet, base, "/api/v2/alerts?"+query.Encode(), nil, &found); err != nil {
		return nil, false, err
	}
	for _, a := range found {
		held = held || a.Status.State == "suppressed"
		for _, r := range a.Receivers {
			names = append(names, r.Name)
		}
	}
	return names, held, nil
}

// any does it at the first Alertmanager that answers.
func (c *Client) any(ctx context.Context, do func(base string) error) error {
	var all error
	for _, base := range c.bases {
		err := do(base)
		var r refused
		if err == nil || errors.As(err, &r) {
			return err
		}
		all = errors.Join(all, err)
	}
	return all
}

// call sends body as JSON unless it is nil, and decodes the answer unless into is nil.
func (c *Client) call(ctx context.Context, method, base, path string, body, into any) error {
	client := c.http[base]
	if client == nil {
		return fmt.Errorf("%s is none of the Alertmanagers that are named", base)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, content)
	if err != nil {
		return err
	}
	at := request.URL.Host
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("the Alertmanager at %s cannot be reached: %w", at, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	switch {
	case err != nil:
		return fmt.Errorf("the Alertmanager at %s: %w", at, err)
	case response.StatusCode >= 500:
		return fmt.Errorf("the Alertmanager at %s: %s: %s", at, response.Status, short(raw))
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return refused{fmt.Errorf("the Alertmanager at %s: %s: see collector.alertmanager_client", at, response.Status)}
	case response.StatusCode != http.StatusOK:
		return refused{fmt.Errorf("the Alertmanager at %s refuses: %s: %s", at, response.Status, short(raw))}
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s does not answer like an Alertmanager: %w", at, err)
	}
	return nil
}

func short(b []byte) string { return string(bytes.TrimSpace(b[:min(len(b), 300)])) }
