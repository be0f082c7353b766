package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// request is what became of one remote-write request. It is used by one goroutine.
type request struct {
	samples, histograms int // taken
	refused             int
	first               *refusal
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// refuse keeps what is refused from Prometheus's receiver: it drops a whole request of
// remote write 1.0 for one such sample, and logs every one with all its labels. A scrape
// is no request, and has its own way with errors.
func (r *request) refuse(why *refusal) bool {
	if r == nil {
		return false
	}
	r.refused++
	if r.first == nil {
		r.first = why
	}
	return true
}

// Receive bounds the size of remote-write requests, and tells the sender of one that was
// taken in part what was refused: 400, which it does not send again.
func (g *Gate) Receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if most := g.limits.RequestBytes; most > 0 {
			tooLarge := &refusal{reasonRequest, fmt.Sprintf("the request is larger than %d bytes, the limit (collector.limits.request_bytes); send fewer samples at a time", most)}
			if r.ContentLength > most {
				g.note(tooLarge, "")
				http.Error(w, tooLarge.Error(), http.StatusRequestEntityTooLarge)
				return
			}
			body := &bounded{ReadCloser: http.MaxBytesReader(w, r.Body, most)}
			r.Body = body
			defer func() {
				if body.exceeded {
					g.note(tooLarge, "")
				}
			}()
		}
		state := &request{}
		answer := &answer{ResponseWriter: w, request: state}
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), requestKey{}, state)))
		answer.end()
	})
}

// bounded notices that a body without a length is too large.
type bounded struct {
	io.ReadCloser
	exceeded bool
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		b.exceeded = true
	}
	return n, err
}

// answer makes a success of a part what it is.
type answer struct {
	http.ResponseWriter
	request *request
	code    int
}

func (a *answer) WriteHeader(code int) {
	if a.code != 0 {
		return
	}
	a.code = code
	if of := a.request; code/100 == 2 && of.refused > 0 {
		// Remote write 2.0 has these; the receiver takes what it was not told of for written.
		for name, n := range map[string]int{"Samples": of.samples, "Histograms": of.histograms} {
			if name = "X-Prometheus-Remote-Write-" + name + "-Written"; a.Header().Get(name) != "" {
				a.Header().Set(name, strconv.Itoa(n))
			}
		}
		http.Error(a.ResponseWriter, fmt.Sprintf("%d of %d samples were refused, the others are stored; the first: %s",
			of.refused, of.refused+of.samples+of.histograms, of.first.message), http.StatusBadRequest)
		return
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.ResponseWriter.Write(p)
}

// end answers for a handler that said nothing.
func (a *answer) end() {
	if a.code == 0 {
		a.WriteHeader(http.StatusNoContent)
	}
}
