package model

import "time"

// ChangeKind says what happened, in the words of the notification that tells
// of it.
type ChangeKind string

// The kinds of Change.
const (
	ServerCreateStart ChangeKind = "instance.create.start"
	ServerCreateEnd   ChangeKind = "instance.create.end"
	ServerCreateError ChangeKind = "instance.create.error"
	ServerDeleteEnd   ChangeKind = "instance.delete.end"
	ServerResizeEnd   ChangeKind = "instance.resize_finish.end"
	ServerConfirmEnd  ChangeKind = "instance.resize_confirm.end"
	ServerPowerOff    ChangeKind = "instance.power_off.end"
	ServerPowerOn     ChangeKind = "instance.power_on.end"
	ServerMigrated    ChangeKind = "instance.live_migration_post_dest.end"

	VolumeCreateEnd ChangeKind = "volume.create.end"
	VolumeDeleteEnd ChangeKind = "volume.delete.end"
	VolumeResizeEnd ChangeKind = "volume.resize.end"
	VolumeAttachEnd ChangeKind = "volume.attach.end"
	VolumeDetachEnd ChangeKind = "volume.detach.end"

	ServiceUpdate ChangeKind = "service.update"
)

// Change is one thing that happened at a time. Exactly one of Server, Volume
// and Host is set; they are the World's own and must be read at once.
type Change struct {
	At     time.Time
	Kind   ChangeKind
	Number uint64 // unique in a World
	Server *Server
	Volume *Volume
	Host   *Host
}

func (w *World) emit(kind ChangeKind, subject any) {
	w.sequence++
	if w.OnChange == nil {
		return
	}
	c := Change{At: w.Now, Kind: kind, Number: w.sequence}
	switch x := subject.(type) {
	case *Server:
		c.Server = x
	case *Volume:
		c.Volume = x
	case *Host:
		c.Host = x
	}
	w.OnChange(c)
}
