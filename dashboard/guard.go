package dashboard

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// mayLook tells whether who asks is on this machine, or in one of the networks.
//
// A visitor may come by way of others, such as a program on this machine that
// ends TLS. Then all of them that are named must be allowed: what a visitor makes
// up can only add to what the last one, who is believed, says. Where something
// forwards and does not say for whom, nobody can tell, so it is refused.
func mayLook(r *http.Request, networks []netip.Prefix) bool {
	peer, err := netip.ParseAddr(r.Header.Get("X-Hadjango-Peer"))
	if err != nil || !allowed(peer, networks) {
		return false
	}
	if !isForwarded(r.Header) {
		return true
	}
	if len(networks) == 0 {
		return false
	}
	visitors := forwardedFor(r.Header)
	return len(visitors) > 0 && !slices.ContainsFunc(visitors, func(text string) bool {
		address, ok := parseVisitor(text)
		return !ok || !allowed(address, networks)
	})
}

func allowed(address netip.Addr, networks []netip.Prefix) bool {
	address = address.Unmap().WithZone("")
	return address.IsLoopback() || slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address) })
}

// forwarding are the headers by which proxies say that they are one; all that
// begin with X-Forwarded- are, too.
var forwarding = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Envoy-External-Address",
	"True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Appengine-User-Ip", "X-Proxyuser-Ip",
}

func isForwarded(header http.Header) bool {
	for name := range header {
		if strings.HasPrefix(name, "X-Forwarded-") || slices.Contains(forwarding, name) {
			return true
		}
	}
	return false
}

// forwardedFor is all that the headers say about whom it is for.
func forwardedFor(header http.Header) (visitors []string) {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip"} {
		for _, value := range header.Values(name) {
			visitors = append(visitors, strings.Split(value, ",")...)
		}
	}
	// https://www.rfc-editor.org/rfc/rfc7239#section-4
	for _, value := range header.Values("Forwarded") {
		for hop := range strings.SplitSeq(value, ",") {
			visitors = append(visitors, visitorOf(hop))
		}
	}
	return visitors
}

// visitorOf is whom a hop of the header Forwarded is for; empty, which is no
// address, where it does not say.
func visitorOf(hop string) string {
	for pair := range strings.SplitSeq(hop, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(key, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// parseVisitor takes an address with or without a port.
func parseVisitor(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if address, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return address, true
	}
	address, err := netip.ParseAddrPort(text)
	return address.Addr(), err == nil
}
