package shipper

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// position is a place between two WAL records.
type position struct {
	Epoch   int `json:"epoch"`
	Segment int `json:"segment"`
	Record  int `json:"record"` // how many records of the segment lie before it
}

func (p position) segment() segment { return segment{Epoch: p.Epoch, Number: p.Segment} }

func (p position) before(q position) bool {
	if p.Epoch != q.Epoch || p.Segment != q.Segment {
		return p.segment().before(q.segment())
	}
	return p.Record < q.Record
}

// checkpoint says how far the Store has acknowledged.
type checkpoint struct {
	// Agent makes tokens unique among shippers; drawn once.
	Agent string `json:"agent"`
	// Sequence numbers batches; it is the last acknowledged one.
	Sequence uint64 `json:"sequence"`
	// Position is where the next batch begins.
	Position position `json:"position"`
}

func newCheckpoint() checkpoint {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails: crypto/rand ends the process instead
	return checkpoint{Agent: hex.EncodeToString(id)}
}

// readCheckpoint returns a new one when there is no file, and an error wrapping
// errDamaged when there is one that cannot be understood.
func readCheckpoint(path string) (checkpoint, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newCheckpoint(), nil
	}
	if err != nil {
		return checkpoint{}, err
	}
	var c checkpoint
	if err := json.Unmarshal(content, &c); err != nil {
		return checkpoint{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if c.Agent == "" {
		return checkpoint{}, fmt.Errorf("%w: it names no agent", errDamaged)
	}
	return c, nil
}

func (c checkpoint) write(path string) error {
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return replaceFile(path, append(content, '\n'))
}
