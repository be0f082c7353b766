package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// question is what a command asks the planner, and how its answer is shown.
// The answer of type T is JSON as it comes; the other formats are rendered.
type question[T any] struct {
	method, path string // GET when method is empty
	query        map[string]string
	body         any // JSON; nil for none
	formats      map[string]func(io.Writer, T) error
	// choices are the names of the formats, json among them.
	choices []string
}

func (q question[T]) ask(cmd *cobra.Command, o *options) error {
	format, err := o.output.choose(q.choices...)
	if err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	query := url.Values{}
	for name, value := range q.query {
		if value != "" {
			query.Set(name, value)
		}
	}
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	var answer T
	raw, err := client.call(ctx, method, q.path, query, q.body, &answer)
	if err != nil {
		return err
	}
	return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
		if render, ok := q.formats[format]; ok {
			return render(w, answer)
		}
		_, err := w.Write(raw)
		return err
	})
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
