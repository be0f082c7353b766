package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// output is where the answer goes and in what form.
type output struct{ format, file string }

// choose returns the format: the flag's, else the one that the file's name says,
// else table. It is an error unless known has it.
func (o output) choose(known ...string) (string, error) {
	format := o.format
	if format == "" {
		format = strings.TrimPrefix(filepath.Ext(o.file), ".")
		if !slices.Contains(known, format) {
			format = "table"
		}
	}
	if binary[format] && o.file == "" && terminal(os.Stdout) {
		return "", fmt.Errorf("%s is not for a terminal: name a file with --output-file plan.%s", format, format)
	}
	if !slices.Contains(known, format) {
		return "", fmt.Errorf("--output %q: this command writes %s", format, strings.Join(known, ", "))
	}
	return format, nil
}

// binary are the formats that no terminal shows.
var binary = map[string]bool{"xlsx": true, "pdf": true}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// write renders to the file, or to out without one. A file is there whole or not
// at all.
func (o output) write(out io.Writer, render func(io.Writer) error) error {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		return err
	}
	if o.file == "" || o.file == "-" {
		_, err := b.WriteTo(out)
		return err
	}
	if err := replaceFile(o.file, b.Bytes()); err != nil {
		return fmt.Errorf("--output-file: %w", err)
	}
	return nil
}

func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
