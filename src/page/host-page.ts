/** One host: its table as each of its clients sees it, and what a request gets. */

import type { RouteObject } from '../kinds/http-rule.ts'
import { formatRef } from '../kinds/index.ts'
import { meshContexts } from '../mesh/gaps/contexts.ts'
import type { Request } from '../mesh/requests/request.ts'
import { type Answer, serve } from '../mesh/requests/serve.ts'
import { chains, routeTables } from '../mesh/routing/routes.ts'
import type { Context } from '../mesh/routing/table.ts'
import { Meter, metered, TooMuchWork } from '../mesh/snapshot/metered.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { answerLines, headline, styleOf } from '../output/answer.ts'
import { formatCondition, formatContext } from '../output/route-table.ts'
import { type Segment, segmentOf, segmentsOf } from './hosts.ts'
import { Html, html } from './html.ts'
import { bar, legend } from './layout.ts'
import type { Index, Shown } from './shown.ts'

/** Steps for all that one page shows. */
const MOST_STEPS = 1_000_000
const MOST_ROUTES = 200
const MOST_VIEWS = 40
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const MOST_HEADERS = 30

interface PortTable {
  readonly port: number
  readonly takers: readonly RouteObject[]
  readonly rows: readonly { readonly when: string; readonly segments: readonly Segment[] }[]
  /** Requests that no route takes get 404. */
  readonly isOpen: boolean
}

/** null for a host that is not known. */
export function hostPage(shown: Shown, { snapshot, hosts }: Index, asked: URLSearchParams): Html | null {
  const host = asked.get('host') ?? ''
  const entries = hosts.filter((entry) => entry.host === host)
  if (entries.length === 0) return null
  const names = shown.showNames()
  try {
    const bounded = metered(snapshot, new Meter(MOST_STEPS))
    const views = viewsOf(
      bounded,
      host,
      entries.map(({ context }) => context)
    )
    const view = views.find((each) => formatContext(each) === asked.get('as')) ?? views[0]
    if (view === undefined) return null
    const tables = tablesOf(bounded, view, host)
    return page(host, views, view, tables, answered(bounded, view, host, tables, asked, names), asked, names)
  } catch (error) {
    if (error instanceof TooMuchWork) return html`<h1>${host}</h1><p class="panel empty">This host is too large to show here.</p>`
    throw error
  }
}

/** The gateways that serve it, then the clients that see it differently. */
function viewsOf(snapshot: Snapshot, host: string, contexts: readonly Context[]): Context[] {
  const gateways = contexts.filter(({ kind }) => kind === 'gateway')
  const isInMesh = contexts.some(({ kind }) => kind === 'mesh')
  return [...(isInMesh ? meshContexts([snapshot], host) : []), ...gateways].slice(0, MOST_VIEWS)
}

function tablesOf(snapshot: Snapshot, context: Context, host: string): PortTable[] {
  const tables = routeTables(snapshot, context, host).map(({ port, takers, catchAll, routes }) => ({
    port,
    takers,
    rows: routes.map((route) => ({ when: formatCondition(route.condition), segments: segmentsOf(snapshot, host, route) })),
    isOpen: !catchAll
  }))
  const connections = chains(snapshot, context, host).map(({ port, serverNames, destinations, source }) => ({
    port,
    takers: source === null ? [] : [source],
    rows: [
      {
        when: serverNames.length === 0 ? 'every connection' : `SNI ${serverNames.join(', ')}`,
        segments: destinations.map((destination) => segmentOf(snapshot, host, destination))
      }
    ],
    isOpen: false
  }))
  return [...tables, ...connections].sort((one, other) => one.port - other.port)
}

function page(
  host: string,
  views: readonly Context[],
  view: Context,
  tables: readonly PortTable[],
  answer: Html | null,
  asked: URLSearchParams,
  names: boolean
): Html {
  const ports = [...new Set(tables.map(({ port }) => port))]
  const given = (name: string, otherwise: string) => (asked.get(name) ?? otherwise).slice(0, 2048)
  const option = (value: string, text: string, isChosen: boolean) =>
    html`<option value="${value}"${new Html(isChosen ? ' selected' : '')}>${text}</option>`
  return html`<nav class="trail"><a href="./">Hosts</a></nav>
<h1 class="host">${host}</h1>
<nav class="views" aria-label="As seen by">${views.map((each) => {
    const is = each === view
    const query = new URLSearchParams({ host, as: formatContext(each) })
    return html`<a href="host?${query.toString()}"${new Html(is ? ' aria-current="true"' : '')}>${contextName(each)}</a>`
  })}</nav>
<div class="columns">
<section class="panel" data-live="tables" aria-label="Routes">${tables.length === 0 ? html`<p class="empty">Nothing is routed here for these clients.</p>` : tables.map((table) => tableOf(table, names))}</section>
<aside>
<section class="panel"><h2>Ask for a request</h2>
<form class="ask" method="get" action="host">
<input type="hidden" name="host" value="${host}"><input type="hidden" name="as" value="${formatContext(view)}"><input type="hidden" name="ask" value="1">
<div class="line"><select name="method" aria-label="Method">${METHODS.map((method) => option(method, method, given('method', 'GET') === method))}</select><input name="path" value="${given('path', '/')}" aria-label="Path" spellcheck="false" autocomplete="off"><select name="port" aria-label="Port">${ports.map((port) => option(String(port), `:${port}`, given('port', '') === String(port)))}</select></div>
<label>Headers<textarea name="headers" rows="2" placeholder="end-user: jason" spellcheck="false">${new Html(escapedLines(given('headers', '')))}</textarea></label>
<button>Ask</button>
</form>
<div data-live="answer" aria-live="polite">${answer}</div>
</section>
</aside>
</div>`
}

function contextName({ kind, namespace, labels }: Context): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return `${kind === 'mesh' ? 'clients in' : 'gateway in'} ${namespace}${pairs.length === 0 ? '' : ` (${pairs.join(', ')})`}`
}

function tableOf({ port, takers, rows, isOpen }: PortTable, names: boolean): Html {
  const from = takers.length === 0 ? "Istio's default route" : names ? takers.map(formatRef).join(', ') : ''
  const shown = rows.slice(0, MOST_ROUTES)
  return html`<div class="scroll"><table><caption><b class="num">:${port}</b> <span class="dim">${from}</span></caption><thead><tr><th scope="col">Requests</th><th scope="col">Go to</th></tr></thead><tbody>${shown.map(
    ({ when, segments }) => html`<tr><td><code>${when}</code></td><td>${bar(segments)}${legend(segments)}</td></tr>`
  )}${rows.length > shown.length ? html`<tr><td colspan="2" class="dim">and ${rows.length - shown.length} more routes</td></tr>` : null}${isOpen ? html`<tr class="bad"><td><code>every other request</code></td><td>404, no route</td></tr>` : null}</tbody></table></div>`
}

/** What the request of the form gets; null where none was asked for. */
function answered(
  snapshot: Snapshot,
  context: Context,
  host: string,
  tables: readonly PortTable[],
  asked: URLSearchParams,
  names: boolean
): Html | null {
  if (asked.get('ask') === null) return null
  const port = Number(asked.get('port')) || tables[0]?.port || 80
  const request = requestOf(asked)
  if (request === null) return html`<p class="bad">A header is written name: value, one a line.</p>`
  const answer = serve(snapshot, context, host, port, request)
  const style = { red: 'bad', green: 'good', yellow: 'warn', bold: '', dim: '' }[styleOf(answer)]
  return html`<p class="verdict ${style}">${headline(answer)}</p>${linesOf(snapshot, answer, names)}`
}

function linesOf(snapshot: Snapshot, answer: Answer, names: boolean): Html {
  if (!names) return legend(answer.destinations.map((destination) => segmentOf(snapshot, '', destination)))
  const lines = answerLines(snapshot, answer, () => '', false)
    .split('\n')
    .filter(Boolean)
  return html`<ul class="way">${lines.map((line) => html`<li class="d${Math.min(2, Math.floor(line.search(/\S/) / 2))}">${line.trim()}</li>`)}</ul>`
}

function requestOf(asked: URLSearchParams): Request | null {
  const [path = '/', query = ''] = (asked.get('path') || '/').slice(0, 2048).split('?', 2)
  const lines = (asked.get('headers') ?? '')
    .slice(0, 4096)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(0, MOST_HEADERS)
  const headers = lines.map(
    (line) => [line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const
  )
  if (lines.some((line) => line.indexOf(':') < 1)) return null
  const method = asked.get('method') ?? 'GET'
  return {
    kind: 'http',
    path: path.startsWith('/') ? path : `/${path}`,
    method: METHODS.includes(method) ? method : 'GET',
    headers: new Map(headers),
    query: new Map(new URLSearchParams(query)),
    sni: null
  }
}

/** In a text area lines stay lines. */
function escapedLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => html`${line}`.text)
    .join('\n')
}
