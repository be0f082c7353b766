// Package shipper carries every float sample of a Prometheus TSDB to a long-term
// Store exactly once, by reading the TSDB's write-ahead log.
//
// A sample counts as acknowledged when its WAL record is written. From there:
//
//		WAL segment ──hard link──► held segment ──► batch ──► intent file ──► Store ──► checkpoint file
//
//	  - held: each WAL segment is hard-linked into the shipper's directory as soon as
//	    it appears, so the TSDB may truncate its WAL whenever it likes and no unshipped
//	    record is lost (hold.go);
//	  - intent: before a batch is sent, its content and token are on disk. After a
//	    crash the same bytes are sent again under the same token, and the Store drops
//	    what it has already (intent.go);
//	  - checkpoint: the position after the last batch that the Store acknowledged
//	    (checkpoint.go).
//
// Begin with Open, which must be called before the TSDB is opened, because opening a
// TSDB may repair or truncate its WAL; then Run.
//
// Native histograms and exemplars are not shipped: they are counted. The TSDB must
// not accept out-of-order samples: a sample that is not newer than its series' last
// one is dropped here as the TSDB's head drops it.
package shipper
