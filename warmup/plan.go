package warmup

const (
	maxConcurrency = 1000
	maxDoubled     = 256 // a round is not doubled beyond this: listen queues and file descriptors are short
	blindSweeps    = 3   // rounds over each path when nobody counts the workers
)

// plan says which paths a round asks for. Request n of a run asks for path n/each, so that with each = base a round
// is one path for all workers.
type plan struct {
	paths []string
	base  int      // requests of an ordinary round
	size  int      // of the round before
	each  int      // requests for a path before the next path's turn
	goal  int      // requests after which every path has had its share
	limit int      // requests in all
	asked int      // so far
	first []string // the first round
	ended bool     // nothing comes after what was asked so far
}

func newPlan(opts Options, ready int) plan {
	p := plan{paths: opts.Paths, limit: opts.MaxRequests}
	p.base = min(max(opts.Concurrency, ready), maxConcurrency)
	if p.limit == 0 {
		p.limit = p.base * max(50, 4*len(p.paths))
	}
	p.each = min(max(p.limit/len(p.paths), 1), p.base)
	p.goal = p.each * len(p.paths)
	if opts.Workers == nil {
		p.goal *= blindSweeps
	}
	return p
}

// next is the next round; empty when there is none, because all is done or the limit is reached.
func (p *plan) next(cold bool, ready int) []string {
	switch {
	case p.asked == 0:
		p.size = p.base
		p.first = p.take(p.size)
		return p.first
	case cold:
		p.size = max(p.size, min(2*p.size, maxDoubled), min(ready, maxConcurrency))
	case p.asked >= p.goal:
		return nil
	default:
		p.size = max(p.base, min(ready, maxConcurrency))
	}
	return p.take(p.size)
}

// again is the first round once more, as far as the limit allows.
func (p *plan) again() []string {
	n := min(len(p.first), p.limit-p.asked)
	p.asked += n
	p.ended = true
	return p.first[:n]
}

func (p *plan) take(n int) []string {
	n = min(n, p.limit-p.asked)
	paths := make([]string, n)
	for i := range paths {
		paths[i] = p.paths[(p.asked+i)/p.each%len(p.paths)]
	}
	p.asked += n
	return paths
}

// total estimates how many requests the whole run will take.
func (p *plan) total() int {
	if p.ended {
		return p.asked
	}
	return min(p.limit, max(p.goal, p.asked)+p.base)
}
