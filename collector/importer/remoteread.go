package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/compression"
)

// Remote read, https://prometheus.io/docs/specs/prw/remote_read_api/: a question is a
// snappy-compressed ReadRequest. The answer is a stream of frames, each with some chunks
// of one series, or, from servers that know no better, one compressed message with all
// samples. A window's file has frames, as they came or made from the samples.

// Bounds of what a server may send.
const (
	maxFrame    = 64 << 20
	maxAnswer   = 1 << 30 // of the second kind, decompressed
	maxErrorSay = 4 << 10
)

// read writes the answer to one selector into the window.
func (r *remoteRun) read(ctx context.Context, w span, matchers []*labels.Matcher, to *windowWriter) error {
	query, err := remote.ToQuery(w.From, w.To-1, matchers, nil)
	if err != nil {
		return refused{err}
	}
	question, err := (&prompb.ReadRequest{
		Queries:               []*prompb.Query{query},
		AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS, prompb.ReadRequest_SAMPLES},
	}).Marshal()
	if err != nil {
		return refused{err}
	}
	packed, err := compression.Encode(compression.Snappy, question, nil)
	if err != nil {
		return refused{err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("no whole answer within %s", r.Timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(packed))
	if err != nil {
		return refused{err}
	}
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("Accept-Encoding", "snappy")
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", "mcloud")
	request.Header.Set("X-Prometheus-Remote-Read-Version", "0.1.0")
	response, err := r.client.Do(request)
	if err == nil {
		defer response.Body.Close()
		err = to.answer(response)
	}
	var final refused
	if err != nil && ctx.Err() != nil && !errors.As(err, &final) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// answer takes an answer of either kind.
func (w *windowWriter) answer(response *http.Response) error {
	kind := response.Header.Get("Content-Type")
	switch code := response.StatusCode; {
	case code/100 != 2:
		say, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorSay)) // what can be read of it helps
		err := fmt.Errorf("it answers %s: %s", response.Status, brief(say))
		if code/100 == 5 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
			return err
		}
		return refused{err}
	case strings.HasPrefix(kind, "application/x-streamed-protobuf"):
		frames := frameReader{r: bufio.NewReaderSize(response.Body, 1<<16)}
		for {
			frame, err := frames.next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = w.frame(frame)
			}
			if err != nil {
				return err
			}
		}
	case strings.HasPrefix(kind, "application/x-protobuf"):
		packed, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
		if err != nil {
			return err
		}
		return w.samples(packed)
	default:
		return refused{fmt.Errorf("it answers with %.100q: is that the address of a remote read, like …/api/v1/read?", kind)}
	}
}

// windowWriter writes the frames of a window.
type windowWriter struct {
	span
	to         io.Writer
	buffer     bytes.Buffer
	left       int64 // bytes that the file may still grow by
	skip       [][]*labels.Matcher
	histograms map[string]int
	builder    labels.ScratchBuilder
}

// frame takes a frame as it came.
func (w *windowWriter) frame(frame []byte) error {
	var answer prompb.ChunkedReadResponse
	if err := answer.Unmarshal(frame); err != nil {
		return fmt.Errorf("a frame cannot be read: %w", err)
	}
	kept := answer.ChunkedSeries[:0]
	for _, s := range answer.ChunkedSeries {
		ls, wanted, err := w.wants(s.Labels)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		err = eachInChunks(s.Chunks, w.span, func(_ int64, _ float64, isFloat bool) error {
			if !isFloat {
				w.histograms[ls.Get(model.MetricNameLabel)]++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("series %s: %w", ls, err)
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		return nil
	}
	if len(kept) < len(answer.ChunkedSeries) {
		var err error
		answer.ChunkedSeries = kept
		if frame, err = answer.Marshal(); err != nil {
			return err
		}
	}
	return w.write(frame)
}

// wants says whether a series is for this window, or an earlier selector's.
func (w *windowWriter) wants(pairs []prompb.Label) (labels.Labels, bool, error) {
	ls, err := toLabels(&w.builder, pairs)
	if err != nil {
		return ls, false, err
	}
	return ls, !slices.ContainsFunc(w.skip, func(selector []*labels.Matcher) bool {
		return !slices.ContainsFunc(selector, func(m *labels.Matcher) bool { return !m.Matches(ls.Get(m.Name)) })
	}), nil
}

func toLabels(b *labels.ScratchBuilder, pairs []prompb.Label) (labels.Labels, error) {
	b.Reset()
	for _, l := range pairs {
		if l.Name == "" {
			return labels.EmptyLabels(), errors.New("a series has a label without a name")
		}
		if l.Value != "" { // which is the same as none
			b.Add(l.Name, l.Value)
		}
	}
	b.Sort()
	ls := b.Labels()
	if name, twice := ls.HasDuplicateLabelNames(); twice {
		return ls, fmt.Errorf("series %s has the label %s twice", ls, name)
	}
	if ls.IsEmpty() {
		return ls, errors.New("a series has no labels")
	}
	return ls, nil
}

// chunkSamples is how many samples one chunk made from an answer with samples has.
const chunkSamples = 10_000

// samples takes an answer with samples.
func (w *windowWriter) samples(packed []byte) error {
	const limit = "ask for less with a shorter window or narrower selectors"
	size, _ := binary.Uvarint(packed)
	if len(packed) > maxAnswer || size > maxAnswer {
		return refused{fmt.Errorf("the answer has %d bytes, %d decompressed, more than %d: %s", len(packed), size, maxAnswer, limit)}
	}
	content, err := compression.Decode(compression.Snappy, packed, nil)
	if err != nil {
		return fmt.Errorf("the answer cannot be decompressed: %w", err)
	}
	var answer prompb.ReadResponse
	if err := answer.Unmarshal(content); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	for _, result := range answer.Results {
		for _, s := range result.Timeseries {
			if err := w.series(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *windowWriter) series(s *prompb.TimeSeries) error {
	ls, wanted, err := w.wants(s.Labels)
	if err != nil || !wanted {
		return err
	}
	for _, h := range s.Histograms {
		if h.Timestamp >= w.From && h.Timestamp < w.To {
			w.histograms[ls.Get(model.MetricNameLabel)]++
		}
	}
	for part := range slices.Chunk(s.Samples, chunkSamples) {
		chunk := chunkenc.NewXORChunk()
		app, err := chunk.Appender()
		if err != nil {
			return err
		}
		for _, sample := range part {
			app.Append(0, sample.Timestamp, sample.Value)
		}
		frame, err := (&prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{{
			Labels: s.Labels,
			Chunks: []prompb.Chunk{{MinTimeMs: part[0].Timestamp, MaxTimeMs: part[len(part)-1].Timestamp, Type: prompb.Chunk_XOR, Data: chunk.Bytes()}},
		}}}).Marshal()
		if err != nil {
			return err
		}
		if err := w.write(frame); err != nil {
			return err
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// write appends a frame: its length, its checksum, itself.
func (w *windowWriter) write(frame []byte) error {
	if w.left -= int64(len(frame)) + 8; w.left < 0 {
		return refused{errors.New("the window needs more room than it may have: ask for less with a shorter window or narrower selectors")}
	}
	var head [binary.MaxVarintLen64 + 4]byte
	n := binary.PutUvarint(head[:], uint64(len(frame)))
	binary.BigEndian.PutUint32(head[n:], crc32.Checksum(frame, castagnoli))
	w.buffer.Write(head[:n+4])
	w.buffer.Write(frame)
	if w.buffer.Len() < 1<<20 {
		return nil
	}
	return w.flush()
}

func (w *windowWriter) flush() error {
	if _, err := w.buffer.WriteTo(w.to); err != nil {
		return refused{err}
	}
	return nil
}

// frameReader reads what windowWriter and Prometheus write.
type frameReader struct {
	r   *bufio.Reader
	buf []byte
}

// next returns a frame, valid until the next one, or io.EOF when there is none: a frame
// that is cut off is another error.
func (f *frameReader) next() ([]byte, error) {
	if _, err := f.r.Peek(1); err != nil {
		return nil, err
	}
	cut := func(err error) error {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("a frame cannot be read: %w", err)
	}
	size, err := binary.ReadUvarint(f.r)
	if err != nil {
		return nil, cut(err)
	}
	if size > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes, more than %d", size, maxFrame)
	}
	var sum [4]byte
	if _, err := io.ReadFull(f.r, sum[:]); err != nil {
		return nil, cut(err)
	}
	// Grown by what comes and not by what is announced.
	var body bytes.Buffer
	body.Grow(int(min(size, 1<<16)))
	if uint64(cap(f.buf)) >= size {
		body = *bytes.NewBuffer(f.buf[:0])
	}
	if _, err := io.CopyN(&body, f.r, int64(size)); err != nil {
		return nil, cut(err)
	}
	f.buf = body.Bytes()
	if crc32.Checksum(f.buf, castagnoli) != binary.BigEndian.Uint32(sum[:]) {
		return nil, errors.New("a frame has another checksum than it says")
	}
	return f.buf, nil
}

// eachSample calls f for the float samples of a window's file.
func eachSample(content io.Reader, w span, f func(labels.Labels, int64, float64) error) error {
	frames := frameReader{r: bufio.NewReaderSize(content, 1<<16)}
	var b labels.ScratchBuilder
	for {
		frame, err := frames.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer prompb.ChunkedReadResponse
		if err := answer.Unmarshal(frame); err != nil {
			return err
		}
		for _, s := range answer.ChunkedSeries {
			ls, err := toLabels(&b, s.Labels)
			if err != nil {
				return err
			}
			err = eachInChunks(s.Chunks, w, func(t int64, v float64, isFloat bool) error {
				if !isFloat {
					return nil
				}
				return f(ls, t, v)
			})
			if err != nil {
				return err
			}
		}
	}
}

// eachInChunks calls f for the samples of chunks that are in w. Chunks come from another
// program, and chunkenc trusts its own: what makes it panic is an error here.
func eachInChunks(chunks []prompb.Chunk, w span, f func(t int64, v float64, isFloat bool) error) (err error) {
	for _, c := range chunks {
		if err := eachInChunk(c, w, f); err != nil {
			return err
		}
	}
	return nil
}

func eachInChunk(c prompb.Chunk, w span, f func(t int64, v float64, isFloat bool) error) (err error) {
	var mine error // f's
	decode := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("a chunk of type %s cannot be read: %v", c.Type, p)
			}
		}()
		// The numbers of the types are the same in both.
		chunk, err := chunkenc.FromData(chunkenc.Encoding(c.Type), c.Data)
		if err != nil {
			return fmt.Errorf("a chunk of type %s: %w", c.Type, err)
		}
		it := chunk.Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			t, v := it.AtT(), 0.0
			if kind == chunkenc.ValFloat {
				_, v = it.At()
			}
			if t < w.From || t >= w.To {
				continue
			}
			if mine = f(t, v, kind == chunkenc.ValFloat); mine != nil {
				return nil
			}
		}
		return it.Err()
	}
	if err := decode(); err != nil {
		return err
	}
	return mine
}
