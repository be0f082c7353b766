package alertstest

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Page is one alert of one notification.
type Page struct {
	Receiver    string
	Status      string            `json:"status"` // firing, resolved
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	At          time.Time         `json:"-"`
}

// Mail is one e-mail, in UTF-8.
type Mail struct{ To, Subject, Text string }

// inbox is what came.
type inbox struct {
	mu    sync.Mutex
	pages []Page
	mails []Mail
}

// webhook takes pages; the path is the receiver.
func (b *inbox) webhook(t testing.TB) (url string) {
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var page struct {
			Alerts []Page `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
			t.Errorf("a page that is no JSON: %v", err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, alert := range page.Alerts {
			alert.Receiver, alert.At = strings.TrimPrefix(r.URL.Path, "/"), time.Now()
			b.pages = append(b.pages, alert)
		}
	}))
	t.Cleanup(hook.Close)
	return hook.URL
}

// Pages are all that came, in the order in which they did.
func (b *inbox) Pages() []Page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.pages)
}

// Mails are all e-mails that came.
func (b *inbox) Mails() []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// Forget forgets what came so far.
func (b *inbox) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages, b.mails = nil, nil
}

// mailServer takes e-mails from who knows the password.
func (b *inbox) mailServer(t testing.TB, user, password string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{b: b, t: t, user: user, password: password}, nil
	}))
	server.AllowInsecureAuth = true
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

// session is one connection of the mail server.
type session struct {
	b              *inbox
	t              testing.TB
	user, password string
	known          bool
	to             []string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.user || password != s.password {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	subject, text, err := readMail(r)
	if err != nil {
		s.t.Errorf("an e-mail that cannot be read: %v", err)
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for _, to := range s.to {
		s.b.mails = append(s.b.mails, Mail{to, subject, text})
	}
	return nil
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

// readMail reads an e-mail of parts, of which the first is the text.
func readMail(r io.Reader) (subject, text string, err error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return "", "", err
	}
	if subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return "", "", err
	}
	_, of, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", "", err
	}
	part, err := multipart.NewReader(m.Body, of["boundary"]).NextPart() // quoted-printable is undone by it
	if err != nil {
		return "", "", err
	}
	body, err := io.ReadAll(part)
	return subject, strings.ReplaceAll(string(body), "\r\n", "\n"), err
}
