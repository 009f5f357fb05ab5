package web

import "net/http"

// contentSecurityPolicy lets the page reach its own origin and nothing else.
//
// There is no unsafe-inline, not even for styles: what the editor would write
// as inline style, graphiql/src/csp.js sets through the style object model,
// which the policy does not govern. img-src needs data: for the icons inside
// the editor's style sheet.
const contentSecurityPolicy = "default-src 'none'; " +
	"script-src 'self'; " +
	"style-src 'self'; " +
	"connect-src 'self'; " +
	"worker-src 'self'; " +
	"font-src 'self'; " +
	"img-src 'self' data:; " +
	"base-uri 'none'; " +
	"form-action 'none'; " +
	"frame-ancestors 'none'"

// permissionsPolicy switches off every browser feature that a page can ask
// for, but the clipboard: the copy button and the editor's own menu use it.
const permissionsPolicy = "accelerometer=(), " +
	"autoplay=(), " +
	"browsing-topics=(), " +
	"camera=(), " +
	"clipboard-read=(self), " +
	"clipboard-write=(self), " +
	"cross-origin-isolated=(), " +
	"display-capture=(), " +
	"encrypted-media=(), " +
	"fullscreen=(), " +
	"gamepad=(), " +
	"geolocation=(), " +
	"gyroscope=(), " +
	"hid=(), " +
	"identity-credentials-get=(), " +
	"idle-detection=(), " +
	"keyboard-map=(), " +
	"local-fonts=(), " +
	"magnetometer=(), " +
	"microphone=(), " +
	"midi=(), " +
	"otp-credentials=(), " +
	"payment=(), " +
	"picture-in-picture=(), " +
	"publickey-credentials-create=(), " +
	"publickey-credentials-get=(), " +
	"screen-wake-lock=(), " +
	"serial=(), " +
	"storage-access=(), " +
	"sync-xhr=(), " +
	"unload=(), " +
	"usb=(), " +
	"window-management=(), " +
	"xr-spatial-tracking=()"

// setSecurityHeaders writes the headers that every answer of this package
// bears, errors included. Scripts of workers need the policy too: a worker is
// bound by the headers of its own script, not by those of the page.
func setSecurityHeaders(header http.Header) {
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", permissionsPolicy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}
