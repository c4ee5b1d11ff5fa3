package influxtest_test

import (
	"net/http"
	"strings"
	"testing"

	"gengfu/storage/history/influxtest"
)

func TestStart(t *testing.T) {
	url, token, bucket := influxtest.Start(t)
	write := func(token string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v2/write?bucket="+bucket, strings.NewReader("m f=1 1"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Token "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if got := write(token); got != http.StatusNoContent {
		t.Errorf("a write with the token gave %d", got)
	}
	if got := write("nobody:nothing"); got != http.StatusUnauthorized {
		t.Errorf("a write with another token gave %d", got)
	}
}
