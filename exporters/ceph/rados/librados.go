//go:build cgo && ceph

package rados

import (
	"strconv"
	"time"

	"github.com/ceph/go-ceph/rados"
)

// Available reports whether this program can reach Ceph.
const Available = true

// Open prepares a cluster. Nothing is sent before the first command, so a
// cluster that is away, or files that are missing yet, are errors of Command.
func Open(cfg Config) (*Mon, error) { return newMon(cfg, dialLibrados) }

// dialLibrados connects. Its timeouts are those of librados: client_mount_timeout
// bounds Connect alone, rados_mon_op_timeout the commands alone.
func dialLibrados(cfg Config) (handle, error) {
	if err := checkFiles(cfg); err != nil {
		return nil, err
	}
	conn, err := rados.NewConnWithClusterAndUser(cfg.ClusterName, cfg.User)
	if err != nil {
		return nil, err
	}
	if err := conn.ReadConfigFile(cfg.Conf); err != nil {
		conn.Shutdown()
		return nil, &Error{Op: "read conf", Config: cfg, Err: err, Hint: "it is not a Ceph configuration file"}
	}
	options := map[string]string{
		"client_mount_timeout": seconds(cfg.ConnectTimeout),
		"rados_mon_op_timeout": seconds(cfg.CommandTimeout),
		"rados_osd_op_timeout": seconds(cfg.CommandTimeout),
		"admin_socket":         "", // a client's own socket would be found beside the daemons'
		"log_to_stderr":        "false",
		"err_to_stderr":        "false",
		"log_file":             "",
	}
	if cfg.Keyring != "" {
		options["keyring"] = cfg.Keyring
	}
	for name, value := range options {
		if err := conn.SetConfigOption(name, value); err != nil {
			conn.Shutdown()
			return nil, &Error{Op: "set " + name, Config: cfg, Err: err}
		}
	}
	if err := conn.Connect(); err != nil {
		conn.Shutdown()
		return nil, err
	}
	return connection{conn}, nil
}

// connection is the handle that librados gives.
type connection struct{ *rados.Conn }

// Omap needs the capability to read the pool's objects, nothing more: no class
// method is called.
func (c connection) Omap(pool, object, after, prefix string, most int) (map[string][]byte, error) {
	ctx, err := c.OpenIOContext(pool)
	if err != nil {
		return nil, err
	}
	defer ctx.Destroy()
	return ctx.GetOmapValues(object, after, prefix, int64(most))
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
