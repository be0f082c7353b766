package shipper

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/encoding"
	"github.com/prometheus/prometheus/tsdb/record"
)

// Batch is a column-wise set of samples: sample i is of Series[Ref[i]], at Time[i]
// (Unix milliseconds), with Value[i], which may be NaN, a stale marker (bit for bit)
// or infinite. It holds no (series, time) twice. Order is that of the WAL. A Store
// must not change or keep it.
type Batch struct {
	Series []labels.Labels
	Ref    []uint32
	Time   []int64
	Value  []float64
}

// Len is the number of samples.
func (b Batch) Len() int { return len(b.Time) }

// part returns samples [from, to) with all series.
func (b Batch) part(from, to int) Batch {
	return Batch{Series: b.Series, Ref: b.Ref[from:to], Time: b.Time[from:to], Value: b.Value[from:to]}
}

// intent is a batch that may or may not have reached the Store.
type intent struct {
	intentHeader
	batch Batch
}

type intentHeader struct {
	Agent    string   `json:"agent"`
	Sequence uint64   `json:"sequence"`
	End      position `json:"end"` // where the batch after it begins
	// Part is the largest number of samples of one insert; kept here so that a
	// restart with other options cuts the batch in the same places.
	Part int `json:"part"`
}

// token names part i of the batch to the Store for ever.
func (in intent) token(i int) string { return fmt.Sprintf("%s-%d-%d", in.Agent, in.Sequence, i) }

var intentKind = [8]byte([]byte("mcintnt1"))

// intentEncoder encodes one intent after the other in the same memory: an intent has all
// labels of its series, some tens of megabytes where there are many.
type intentEncoder struct {
	series         []record.RefSeries
	samples        []record.RefSample
	payload, whole []byte
}

// lengthBytes is the room for the length of a field, which is known after it: a uvarint
// of as many bytes whatever its value.
const lengthBytes = 5

// encode returns an intent's file, valid until the next call. The payload is three
// length-prefixed fields: the header as JSON, a series record and a samples record in
// the TSDB's own WAL encoding, whose references are indexes into the batch's series.
func (e *intentEncoder) encode(in intent) ([]byte, error) {
	header, err := json.Marshal(in.intentHeader)
	if err != nil {
		return nil, err
	}
	e.series, e.samples = e.series[:0], e.samples[:0]
	for i, l := range in.batch.Series {
		e.series = append(e.series, record.RefSeries{Ref: chunks.HeadSeriesRef(i), Labels: l})
	}
	for i, ref := range in.batch.Ref {
		e.samples = append(e.samples, record.RefSample{Ref: chunks.HeadSeriesRef(ref), T: in.batch.Time[i], V: in.batch.Value[i]})
	}
	var enc record.Encoder
	e.payload = e.payload[:0]
	e.field(func(b []byte) []byte { return append(b, header...) })
	e.field(func(b []byte) []byte { return enc.Series(e.series, b) })
	e.field(func(b []byte) []byte { return enc.Samples(e.samples, b) })
	clear(e.series) // whose labels may outlive their series no longer than the batch
	e.whole = frameInto(e.whole, intentKind, e.payload)
	return e.whole, nil
}

func (e *intentEncoder) field(encode func([]byte) []byte) {
	at := len(e.payload)
	e.payload = encode(append(e.payload, make([]byte, lengthBytes)...))
	n := uint64(len(e.payload) - at - lengthBytes) // frames have less than 2^35
	for i := range lengthBytes {
		e.payload[at+i] = byte(n) | 0x80
		n >>= 7
	}
	e.payload[at+lengthBytes-1] &^= 0x80
}

func decodeIntent(content []byte) (intent, error) {
	payload, err := unframe(intentKind, content)
	if err != nil {
		return intent{}, err
	}
	var fields [3][]byte
	for i := range fields {
		n, k := binary.Uvarint(payload)
		if k <= 0 || n > uint64(len(payload)-k) {
			return intent{}, fmt.Errorf("%w: field %d is cut", errDamaged, i)
		}
		fields[i], payload = payload[k:k+int(n)], payload[k+int(n):]
	}
	var in intent
	if err := json.Unmarshal(fields[0], &in.intentHeader); err != nil {
		return intent{}, fmt.Errorf("%w: header: %w", errDamaged, err)
	}
	if in.Part <= 0 || in.Agent == "" {
		return intent{}, fmt.Errorf("%w: header lacks agent or part", errDamaged)
	}
	if !wholeLabels(fields[1]) {
		return intent{}, fmt.Errorf("%w: series: a label is cut", errDamaged)
	}
	dec := record.NewDecoder(labels.NewSymbolTable(), nil)
	series, err := dec.Series(fields[1], nil)
	if err != nil {
		return intent{}, fmt.Errorf("%w: series: %w", errDamaged, err)
	}
	samples, err := dec.Samples(fields[2], nil)
	if err != nil {
		return intent{}, fmt.Errorf("%w: samples: %w", errDamaged, err)
	}
	in.batch = Batch{
		Series: make([]labels.Labels, len(series)),
		Ref:    make([]uint32, len(samples)), Time: make([]int64, len(samples)), Value: make([]float64, len(samples)),
	}
	for i, s := range series {
		in.batch.Series[i] = s.Labels
	}
	for i, s := range samples {
		if s.Ref >= chunks.HeadSeriesRef(len(series)) {
			return intent{}, fmt.Errorf("%w: sample %d is of series %d of %d", errDamaged, i, s.Ref, len(series))
		}
		in.batch.Ref[i], in.batch.Time[i], in.batch.Value[i] = uint32(s.Ref), s.T, s.V
	}
	return in, nil
}

// wholeLabels says whether a series record has the labels that it says it has. The
// TSDB's decoder takes its word for their number, and makes as many, empty ones, until
// the memory is full.
func wholeLabels(series []byte) bool {
	d := encoding.Decbuf{B: series}
	d.Byte() // the record's type
	for d.Len() > 0 && d.Err() == nil {
		d.Be64() // the reference
		n := d.Uvarint64()
		if n > uint64(d.Len()) { // a name and a value take two bytes at least
			return false
		}
		for range 2 * n {
			d.UvarintBytes()
		}
	}
	return d.Err() == nil
}

// readIntent returns an error wrapping fs.ErrNotExist when there is none and
// errDamaged when it is not whole.
func readIntent(path string) (intent, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return intent{}, err
	}
	return decodeIntent(content)
}

// write writes an intent's file.
func (e *intentEncoder) write(path string, in intent) error {
	content, err := e.encode(in)
	if err != nil {
		return err
	}
	return replaceFile(path, content)
}
