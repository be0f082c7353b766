package main

import (
	"time"

	"mcloud/cmd/machine"
)

// usage is time on the clock and of the processor, the engine's threads included: it
// runs in this process.
type usage struct{ wall, cpu time.Duration }

func (u *usage) add(v usage) { u.wall, u.cpu = u.wall+v.wall, u.cpu+v.cpu }

type moment struct {
	wall time.Time
	cpu  time.Duration
}

func now() moment { return moment{time.Now(), machine.Processor()} }

func (m moment) since() usage { return usage{time.Since(m.wall), machine.Processor() - m.cpu} }
