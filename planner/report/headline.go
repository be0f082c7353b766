package report

import "fmt"

// Headline says the most urgent thing in a sentence or two. answers are in order
// of urgency.
func Headline(answers []Answer) string {
	if len(answers) == 0 {
		return "Nothing is known yet: no zone and no storage tier has been seen."
	}
	a := answers[0]
	what := a.Subject()
	switch a.Urgency {
	case Full:
		if a.Purchase != nil && a.Purchase.Units > 0 {
			return fmt.Sprintf("%s is over its limit: order %s now.", upper(what), a.Buy())
		}
		return fmt.Sprintf("%s is over its limit: order now.", upper(what))
	case Order, Soon:
		by := "by " + Day(a.OrderBy)
		if a.Urgency == Order {
			by = "now (it was due " + Day(a.OrderBy) + ")"
		}
		if a.Purchase != nil && a.Purchase.Units > 0 {
			return fmt.Sprintf("Order %s for %s %s.", a.Buy(), what, by)
		}
		return fmt.Sprintf("%s may run out early: be ready to order %s.", upper(what), by)
	}
	for _, b := range answers {
		if b.OrderBy != nil {
			return fmt.Sprintf("Nothing to order yet. Next: %s, by %s.", b.Subject(), Day(b.OrderBy))
		}
	}
	if a.Urgency == Unknown {
		return "Too little is known for dates yet: see what is missing below."
	}
	return fmt.Sprintf("Nothing to order: nothing reaches its limit before %s.", Day(a.Until))
}

func upper(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' || len(s) > 4 && s[:4] == "vCPU" {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
