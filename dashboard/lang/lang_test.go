package lang

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gengfu/facility"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestLanguagesSayTheSame(t *testing.T) {
	zh, en := sentences["zh"], sentences["en"]
	for _, key := range slices.Sorted(maps.Keys(zh)) {
		if _, ok := en[key]; !ok {
			t.Errorf("%s has no English sentence", key)
			continue
		}
		a, b := placeholder.FindAllString(zh[key], -1), placeholder.FindAllString(en[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: placeholders %v in Chinese, %v in English", key, a, b)
		}
		if strings.TrimSpace(zh[key]) == "" || strings.TrimSpace(en[key]) == "" {
			t.Errorf("%s is empty", key)
		}
	}
	for key := range en {
		if _, ok := zh[key]; !ok {
			t.Errorf("%s has no Chinese sentence", key)
		}
	}
}

func TestCountedSentencesHaveOne(t *testing.T) {
	for key := range sentences["en"] {
		if base, ok := strings.CutSuffix(key, ".one"); ok && sentences["en"][base] == "" {
			t.Errorf("%s has no sentence for more than one", key)
		}
	}
}

// keyUse finds the keys that the code and the pages name in full, and what the
// key begins with.
var keyUse = []struct {
	prefix  string
	suffix  string
	pattern *regexp.Regexp
}{
	{"error.", "", regexp.MustCompile(`\bfail\("([a-z_]+)"\)`)},
	{"error.", "", regexp.MustCompile(`\bfailWith\("[a-z_]+", "([a-z_]+)"`)},
	{"error.", "", regexp.MustCompile(`\binvalid\([^,]+, "([a-z_]+)"`)},
	{"", "", regexp.MustCompile(`\blang\.Text\("([a-z_.]*[a-z_])"`)},
	{"", "", regexp.MustCompile(`\bjoined\("([a-z_.]*[a-z_])"`)},
	{"", "", regexp.MustCompile(`\blang\.Count\("([a-z_.]*[a-z_])"`)},
	{"", ".one", regexp.MustCompile(`\blang\.Count\("([a-z_.]*[a-z_])"`)},
	{"", "", regexp.MustCompile(`\badd\("([a-z_.]*[a-z_])"`)},
	{"", ".one", regexp.MustCompile(`\badd\("([a-z_.]*[a-z_])"`)},
	{"basic.", "", regexp.MustCompile(`\bs\.show\(c, [^"]+, "[a-z-]+", "([a-z_]+)"`)},
	{"basic.", "", regexp.MustCompile(`\.T "([a-z_]+)"`)},
	{"basic.", "", regexp.MustCompile(`\bs\.T\("([a-z_]+)"`)},
}

func TestEverySentenceThatIsUsedExists(t *testing.T) {
	found := 0
	for _, pattern := range []string{"../*.go", "../basic/*.html"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range keyUse {
				for _, match := range use.pattern.FindAllStringSubmatch(string(text), -1) {
					found++
					if key := use.prefix + match[1] + use.suffix; sentences["zh"][key] == "" {
						t.Errorf("%s uses %q, which has no sentence", name, key)
					}
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d uses were found: the patterns no longer fit the code", found)
	}
}

// The pages put words in place of the values of the domain; each needs one.
func TestEveryValueOfTheDomainHasAWord(t *testing.T) {
	words := map[string][]string{}
	add := func(kind string, values ...string) { words[kind] = append(words[kind], values...) }
	for _, r := range facility.Roles {
		add("role", string(r))
	}
	for _, p := range []facility.Priority{facility.P1, facility.P2, facility.P3, facility.P4} {
		add("priority", string(p))
	}
	for _, s := range []facility.OrderState{
		facility.OrderNew, facility.OrderAssigned, facility.OrderAccepted, facility.OrderArrived, facility.OrderInProgress,
		facility.OrderOnHold, facility.OrderCompleted, facility.OrderVerified, facility.OrderClosed, facility.OrderCancelled,
		facility.OrderReopened,
	} {
		add("order_state", string(s))
	}
	for _, a := range []facility.OrderAction{
		facility.OrderCreate, facility.OrderAssign, facility.OrderAccept, facility.OrderReturn, facility.OrderArrive,
		facility.OrderStart, facility.OrderHold, facility.OrderResume, facility.OrderComplete, facility.OrderVerify,
		facility.OrderClose, facility.OrderCancel, facility.OrderReopen, facility.OrderComment, facility.OrderPhoto,
		facility.OrderTick, facility.OrderUntick, facility.OrderRecur, facility.OrderWithdraw,
	} {
		add("action", string(a))
	}
	for _, s := range []facility.AlarmState{
		facility.AlarmNormal, facility.AlarmUnacknowledged, facility.AlarmAcknowledged, facility.AlarmReturned,
		facility.AlarmLatchedUnacknowledged, facility.AlarmLatchedAcknowledged,
	} {
		add("alarm_state", string(s))
	}
	for _, s := range []facility.RoundState{
		facility.RoundScheduled, facility.RoundDue, facility.RoundInProgress, facility.RoundCompleted,
		facility.RoundExceptions, facility.RoundIncomplete, facility.RoundMissed, facility.RoundCancelled,
	} {
		add("round_state", string(s))
	}
	for _, v := range []facility.Verdict{
		facility.Pending, facility.OnTime, facility.Early, facility.Late, facility.Missed, facility.Exempt,
	} {
		add("verdict", string(v))
	}
	add("state", "ok", "attention", "alarm", "unknown")
	add("online", "online", "offline", "unknown")
	for kind, values := range words {
		for _, v := range values {
			if sentences["zh"]["basic."+kind+"."+v] == "" {
				t.Errorf("there is no word for %s %q", kind, v)
			}
		}
	}
}

func TestIn(t *testing.T) {
	pump := facility.Text{ZH: "1号泵", EN: "Pump 1"}
	if got := In("en", "error.counter", Args{"name": pump}); got != "“Pump 1” is not a counter and has no consumption." {
		t.Errorf("In = %q", got)
	}
	if got := Text("error.counter", Args{"name": pump}).ZH; !strings.Contains(got, "“1号泵”") {
		t.Errorf("Text = %q", got)
	}
	if got := Count("overview.offline", 1).EN; got != "1 device offline" {
		t.Errorf("Count(1) = %q", got)
	}
	if got := Count("overview.offline", 3).EN; got != "3 devices offline" {
		t.Errorf("Count(3) = %q", got)
	}
	if got := In("en", "no.such.key", nil); got != "no.such.key" {
		t.Errorf("a missing key gave %q", got)
	}
	if Known("fr") || !Known("zh") || JSON("../lang") != nil || !json.Valid(JSON("en")) {
		t.Error("the languages are not those that exist")
	}
}
