/** The page to look at: what is asked for by a path, as HTML that is read without scripts, with a tag by which a browser asks again. Reads, and changes nothing. */
import { createHash } from 'node:crypto'
import { hostPage } from './host-page.ts'
import { everyHost } from './hosts.ts'
import { document, notFound } from './layout.ts'
import { overview } from './overview.ts'
import { SCRIPT } from './script.ts'
import type { Index, Shown } from './shown.ts'
import { STYLE } from './style.ts'

export interface PageAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const INDEX_MS = 1_000

/** Shares of one whole. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect y="5" width="10" height="6" rx="1.5" fill="#3f6fdc"/><rect x="11" y="5" width="5" height="6" rx="1.5" fill="#1a9a8a"/></svg>'

/** Nothing from elsewhere, nothing inline, in no frame. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store'
}

/** Answers a GET below `/look/`; null for a path that is not the page's. `etag` is what the browser has. */
export function createPage(shown: Shown): (url: string, etag?: string) => PageAnswer | null {
  let known: { readonly atMs: number; readonly index: Index } | null = null
  const index = () => {
    const now = shown.nowMs()
    if (known === null || now - known.atMs >= INDEX_MS || now < known.atMs) {
      const snapshot = shown.snapshot()
      known = { atMs: now, index: { snapshot, hosts: everyHost(snapshot) } }
    }
    return known.index
  }
  return (url, etag) => {
    const [path = '', query = ''] = url.split('?', 2)
    if (path === '/look') return { status: 308, headers: { ...HEADERS, location: 'look/' }, body: '' }
    if (!path.startsWith('/look/')) return null
    const asked = new URLSearchParams(query)
    switch (path) {
      case '/look/':
        return tagged('text/html; charset=utf-8', document(shown.what, 'Hosts', overview(shown, index(), asked)), etag)
      case '/look/host': {
        const page = hostPage(shown, index(), asked)
        const [status, body] = page === null ? ([404, notFound('Nobody here knows this host.')] as const) : ([200, page] as const)
        return {
          ...tagged('text/html; charset=utf-8', document(shown.what, asked.get('host') ?? '', body), etag),
          ...(status === 404 ? { status } : {})
        }
      }
      case '/look/style.css':
        return tagged('text/css; charset=utf-8', STYLE, etag)
      case '/look/script.js':
        return tagged('text/javascript; charset=utf-8', SCRIPT, etag)
      case '/look/icon.svg':
        return tagged('image/svg+xml', ICON, etag)
      default:
        return {
          ...tagged('text/html; charset=utf-8', document(shown.what, 'Nothing here', notFound('There is nothing here.')), undefined),
          status: 404
        }
    }
  }
}

function tagged(type: string, body: string, known: string | undefined): PageAnswer {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const headers = { ...HEADERS, 'content-type': type, etag }
  return known === etag ? { status: 304, headers, body: '' } : { status: 200, headers, body }
}
