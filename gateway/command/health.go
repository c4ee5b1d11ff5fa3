package command

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

type healthCommand struct {
	Address     string `help:"Address of the dashboard." default:"http://127.0.0.1:8080" env:"GENGFU_ADDRESS"`
	DeadLetters bool   `help:"Print the messages that could not be taken, each as a line of JSON."`

	Insecure bool `help:"Take any certificate: over HTTPS on this machine its name is not 127.0.0.1." env:"GENGFU_INSECURE"`
}

func (cmd healthCommand) Run(c *console) error {
	ctx, cancel := context.WithTimeout(c.ctx, 3*time.Second)
	defer cancel()
	path := "/readyz"
	if cmd.DeadLetters {
		path = "/api/health/dead-letters"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmd.Address+path, nil)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: cmd.Insecure}} //nolint:gosec // asked for
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer resp.Body.Close()
	if cmd.DeadLetters && resp.StatusCode == http.StatusOK {
		if _, err := io.Copy(c.out, resp.Body); err != nil {
			return fmt.Errorf("health: %w", err)
		}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s answers %s: %s", cmd.Address, path, resp.Status, body)
	}
	_, err = fmt.Fprintf(c.out, "%s\n", body)
	return err
}
