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
	Address  string `help:"Address of the dashboard." default:"http://127.0.0.1:8080" env:"GENGFU_ADDRESS"`
	Insecure bool   `help:"Take any certificate: over HTTPS on this machine its name is not 127.0.0.1." env:"GENGFU_INSECURE"`
}

func (cmd healthCommand) Run(c *console) error {
	ctx, cancel := context.WithTimeout(c.ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmd.Address+"/readyz", nil)
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
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", cmd.Address, body)
	}
	_, err = fmt.Fprintf(c.out, "%s\n", body)
	return err
}
