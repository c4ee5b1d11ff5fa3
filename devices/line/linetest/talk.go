package linetest

import (
	"sync"
	"time"
)

// Say is something that a slave says so long after a request has come.
type Say struct {
	After time.Duration
	Bytes []byte
}

// Talk lets the slave answer each request with what the script returns for it, in
// the order of time, whatever is asked meanwhile. It returns when the line has ended
// and everything is said.
func Talk(s *Slave, script func(request []byte) []Say) {
	var talking sync.WaitGroup
	defer talking.Wait()
	for {
		buf := make([]byte, 512)
		n, err := s.Read(buf)
		if err != nil {
			return
		}
		for _, say := range script(buf[:n]) {
			talking.Go(func() {
				<-time.After(say.After)
				_, _ = s.Write(say.Bytes) // the line may have ended meanwhile
			})
		}
	}
}
