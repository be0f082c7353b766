package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
	"mcloud/planner/alertmanager"
)

// testNotification is the name of the alert, which alerts/alertmanager.yml routes.
const testNotification = "TestNotification"

func notifyCommand(s *settings.Settings) *cobra.Command {
	notify := &cobra.Command{Use: "notify", Short: "Try the way that pages take"}
	var severity, message string
	test := &cobra.Command{
		Use:   "test",
		Short: "Send a page that says it is a test, and say who gets it",
		Long: `Send a page that says it is a test to the Alertmanagers that the collector pages
through (collector.alertmanagers), with what it presents to them, and say which
receivers they give it to. It ends by itself after five minutes.

Whether it arrives is for who receives it to say: an Alertmanager that took it may
still fail to deliver; its own log and metrics tell.`,
		Example: "  mcloud collector notify test --config mcloud.yaml\n  mcloud collector notify test --config mcloud.yaml --severity ticket",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, _, err := load(s)
			if err != nil {
				return err
			}
			client, err := parts.Alertmanagers(f)
			if err != nil {
				return err
			}
			host, _ := os.Hostname()
			now := time.Now()
			return sendTest(cmd.Context(), cmd.OutOrStdout(), client, alertmanager.Alert{
				Labels: map[string]string{"alertname": testNotification, "severity": severity, "system": "mcloud", "cloud": f.Cloud, "sent_from": host},
				Annotations: map[string]string{"summary": "A test of mCloud's pages from " + host + ": nothing is wrong", "description": message,
					"runbook": "runbooks/AlertmanagerUnreachable.md", "dashboard": "mcloud-self"},
				StartsAt: now, EndsAt: now.Add(5 * time.Minute),
			})
		},
	}
	test.Flags().StringVar(&severity, "severity", "page", "page, ticket or info: who is told goes by it")
	test.Flags().StringVar(&message, "message", "Sent by hand. Say to who sent it that it came.", "what it says")
	notify.AddCommand(test)
	return notify
}

// sendTest sends the alert to each Alertmanager and says what each does with it. It is an
// error when one of them does not take it, or when nobody would hear of it.
func sendTest(ctx context.Context, w io.Writer, client *alertmanager.Client, a alertmanager.Alert) error {
	var problems []error
	for _, base := range client.Bases() {
		if err := client.Send(ctx, base, a); err != nil {
			problems = append(problems, err)
			fmt.Fprintf(w, "%s: did not take it\n", base)
			continue
		}
		receivers, held, err := waitForReceivers(ctx, client, base, a.Labels["alertname"])
		switch {
		case err != nil:
			problems = append(problems, err)
			fmt.Fprintf(w, "%s: took it, and does not say who gets it\n", base)
		case held:
			problems = append(problems, fmt.Errorf("%s holds it back: a silence or an inhibition is on %s", base, a.Labels["alertname"]))
			fmt.Fprintf(w, "%s: took it, and holds it back\n", base)
		case len(receivers) == 0:
			problems = append(problems, fmt.Errorf("%s gives it to no receiver: look at its routes", base))
			fmt.Fprintf(w, "%s: took it, for nobody\n", base)
		default:
			fmt.Fprintf(w, "%s: took it, for %s\n", base, strings.Join(receivers, ", "))
		}
	}
	return errors.Join(problems...)
}

// waitForReceivers asks until Alertmanager shows the alert that it took: it does so a moment later.
func waitForReceivers(ctx context.Context, client *alertmanager.Client, base, name string) ([]string, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		receivers, held, err := client.Receivers(ctx, base, name)
		if err != nil || held || len(receivers) > 0 {
			slices.Sort(receivers)
			return slices.Compact(receivers), held, err
		}
		select {
		case <-ctx.Done():
			return nil, false, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}
