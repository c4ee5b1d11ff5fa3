package zz
import ("testing";"time";"os";"gengfu/rules";"gengfu/facility";"gengfu/gateway/demo";"gengfu/gateway/config")
var _ = demo.Model{}
var _ = config.Config{}
var _ = os.Args
var _ = time.Now
var _ = rules.Compile
var _ facility.Reading
func TestX(t *testing.T){}
