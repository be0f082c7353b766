package backend

import "time"

// What the planner answers, as far as it is shown here. planner/httpapi describes the
// whole at /api/v1/openapi.json; wire_test.go holds these to the real one. What may be
// absent is a pointer: unknown is not 0.

type wireStatus struct {
	Cloud     string    `json:"cloud"`
	Runs      int64     `json:"runs"`
	Failures  int64     `json:"failures"`
	LastRun   time.Time `json:"last_run"`
	LastError string    `json:"last_error"`
	Missing   int       `json:"missing"`
}

type wireConfiguration struct {
	Cloud   string `json:"cloud"`
	Version string `json:"version"`
}

type wireCapacity struct {
	Name        string  `json:"name"`
	Zone        string  `json:"zone"`
	Hosts       int64   `json:"hosts"`
	InService   int64   `json:"in_service"`
	Out         string  `json:"out_of_service"`
	Class       string  `json:"class"`
	Allocatable float64 `json:"allocatable"`
	Allocated   float64 `json:"allocated"`
	Free        float64 `json:"free"`
	Reserve     float64 `json:"reserve"`
	Limit       float64 `json:"limit"`
	Stranded    float64 `json:"stranded"`
	Used        *struct {
		P95Ratio float64 `json:"p95_ratio"`
	} `json:"really_used"`
}

type wireTier struct {
	Tier        string  `json:"tier"`
	RawBytes    float64 `json:"raw_bytes"`
	Stored      float64 `json:"stored_bytes"`
	Known       bool    `json:"known"`
	Provisioned float64 `json:"provisioned_bytes"`
	Full        float64 `json:"full_bytes"`
	Survivable  float64 `json:"survivable_bytes"` // 0: not known
	Limit       float64 `json:"limit_bytes"`
	LimitReason string  `json:"limit_reason"`
	OSDs        int64   `json:"osds"`
	Down        int64   `json:"osds_down"`

	Outlook wireOutlook `json:"outlook"`
}

type wireOutlook struct {
	Class        string         `json:"class"`
	Unit         string         `json:"unit"`
	Used         float64        `json:"used"`
	Limit        float64        `json:"limit"`
	UsedRatio    float64        `json:"used_ratio"`
	Urgency      string         `json:"urgency"`
	Crossing     wireCrossing   `json:"crossing"`
	GrowthPerDay *float64       `json:"growth_per_day"`
	OrderBy      *time.Time     `json:"order_by"`
	Confidence   wireConfidence `json:"confidence"`
	Chart        struct {
		History []wirePoint `json:"history"`
	} `json:"chart"`
}

type wireCrossing struct {
	State       string     `json:"state"` // not known: none of the rest is
	P10         *time.Time `json:"p10"`
	P50         *time.Time `json:"p50"`
	P90         *time.Time `json:"p90"`
	Until       time.Time  `json:"until"`
	Probability float64    `json:"probability"`
}

type wireConfidence struct {
	Level string `json:"level"`
	Why   string `json:"why"`
}

type wirePoint struct {
	Time  time.Time `json:"t"`
	Value float64   `json:"v"`
}

type wireBand struct {
	Time time.Time `json:"t"`
	P10  float64   `json:"p10"`
	P50  float64   `json:"p50"`
	P90  float64   `json:"p90"`
}

type wireReport struct {
	Cloud   string        `json:"cloud"`
	At      time.Time     `json:"at"`
	Partial []wireMissing `json:"partial"`
	Answers []wireAnswer  `json:"answers"`
	Zones   []wireZone    `json:"zones"`
	Tiers   []wireTier    `json:"tiers"`
}

type wireMissing struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

type wireAnswer struct {
	Kind    string     `json:"kind"`
	Name    string     `json:"name"`
	Class   string     `json:"class"`
	Urgency string     `json:"urgency"`
	P10     *time.Time `json:"p10"`
	P50     *time.Time `json:"p50"`
	OrderBy *time.Time `json:"order_by"`
	Why     string     `json:"why"`
}

type wireZone struct {
	Zone     string        `json:"zone"`
	Outlooks []wireOutlook `json:"outlooks"`
}

type wireForecast struct {
	Subject    string            `json:"subject"`
	Labels     map[string]string `json:"labels"`
	Unit       string            `json:"unit"`
	Now        *float64          `json:"now"`
	Limit      *float64          `json:"limit"`
	Crossing   *wireCrossing     `json:"crossing"`
	OrderBy    *time.Time        `json:"order_by"`
	Confidence wireConfidence    `json:"confidence"`
	Basis      struct {
		Model  string    `json:"model"`
		Reason string    `json:"reason"`
		To     time.Time `json:"to"`
	} `json:"basis"`
	Steps []wireBand `json:"steps"`
}

type wireHeadroom struct {
	Flavor string `json:"flavor"`
	Zones  []struct {
		Zone    string `json:"zone"`
		Servers int64  `json:"servers"`
		Hosts   int64  `json:"hosts"`
		Largest int64  `json:"largest"`
	} `json:"zones"`
}

type wirePlanState struct {
	Plan  wirePlan  `json:"plan"`
	Stage string    `json:"stage"`
	Time  time.Time `json:"time"`
}

type wirePlan struct {
	ID    string    `json:"id"`
	Time  time.Time `json:"time"`
	Lever string    `json:"lever"`
	Host  struct {
		Name     string  `json:"name"`
		Zone     string  `json:"zone"`
		Class    string  `json:"class"`
		Score    float64 `json:"score"`
		ZoneMean float64 `json:"zone_mean"`
	} `json:"host"`
	Reason    string     `json:"reason"`
	Effect    string     `json:"effect"`
	Aggregate string     `json:"aggregate"`
	Steps     []wireStep `json:"steps"`
}

type wireStep struct {
	Number int64  `json:"number"`
	Kind   string `json:"kind"`
	Target string `json:"target"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
	Effect string `json:"effect"`
}

type wireBill struct {
	Currency  string            `json:"currency"`
	Lines     []wireLine        `json:"lines"`
	Projects  map[string]string `json:"projects"`
	Sums      []wireSum         `json:"sums"`
	Unpriced  []string          `json:"unpriced"`
	Unread    []string          `json:"unread"`
	Estimated int               `json:"estimated"`
}

type wireLine struct {
	Project  string    `json:"project"`
	Meter    string    `json:"meter"`
	SKU      string    `json:"sku"`
	Quantity float64   `json:"quantity"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
}

type wireSum struct {
	Project     string  `json:"project"`
	Meter       string  `json:"meter"`
	SKU         string  `json:"sku"`
	UnitSeconds float64 `json:"unit_seconds"`
	Cost        string  `json:"cost"` // a decimal number; "" without a price
}

type wireEvents struct {
	Events []wireEvent `json:"events"`
	More   bool        `json:"more"`
}

type wireEvent struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Source   string    `json:"source"`
	Kind     string    `json:"kind"`
	Project  string    `json:"project"`
	Resource string    `json:"resource"`
	Severity string    `json:"severity"`
}

type wireWindow struct {
	ID     string    `json:"id"`
	Of     string    `json:"of"`
	Name   string    `json:"name"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Ended  time.Time `json:"ended"` // zero: it was not ended before its time
	Reason string    `json:"reason"`
	By     string    `json:"by"`
}

type wireProject struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}
