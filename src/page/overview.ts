/** The first page: every host with its versions, the gaps, and the last refusals and held writes. */
import { formatContext } from '../output/route-table.ts'
import { type HostEntry, type PictureState, type PortPicture, pictureOf } from './hosts.ts'
import { Html, html } from './html.ts'
import { bar, legend, plural } from './layout.ts'
import type { Index, Shown, ShownGap, ShownWrite } from './shown.ts'

const HOSTS_A_PAGE = 50
const MOST_GAPS = 30
const MOST_WRITES = 20

const STATES: Readonly<Record<PictureState, string>> = {
  served: 'every request is answered',
  partial: 'requests that meet no condition get 404',
  lost: 'some requests get no answer',
  unknown: 'nobody here can know whether it answers'
}

export function overview(shown: Shown, { snapshot, hosts }: Index, asked: URLSearchParams): Html {
  const search = (asked.get('q') ?? '').slice(0, 253)
  const gaps = shown.gaps()
  const failing = new Set(gaps?.map(({ host }) => host))
  const onlyGaps = asked.get('only') === 'gaps'
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const found = hosts.filter(({ host }) => words.every((word) => host.includes(word)) && (!onlyGaps || failing.has(host)))
  const pages = Math.max(1, Math.ceil(found.length / HOSTS_A_PAGE))
  const page = Math.min(pages, Math.max(1, Math.trunc(Number(asked.get('page'))) || 1))
  const entries = found.slice((page - 1) * HOSTS_A_PAGE, page * HOSTS_A_PAGE)
  const names = shown.showNames()
  return html`<h1 class="hidden">Hosts</h1>
<section class="figures" data-live="figures">${figures(hosts.length, gaps, shown)}</section>
<div class="columns">
<section class="panel hosts" aria-label="Hosts">
<form class="search" method="get" action="./" role="search"><input type="search" name="q" value="${search}" placeholder="Find a host" aria-label="Find a host" maxlength="253" autocomplete="off" spellcheck="false"><label class="check"><input type="checkbox" name="only" value="gaps"${new Html(onlyGaps ? ' checked' : '')}> Only with gaps</label><button>Find</button></form>
<div data-live="hosts">
${entries.length === 0 ? html`<p class="empty">${hosts.length === 0 ? 'No Service, ServiceEntry or Gateway is here.' : 'No host matches.'}</p>` : html`<ul class="list">${entries.map((entry) => hostRow(entry, pictureOf(snapshot, entry), names))}</ul>`}
${pages === 1 ? null : pager(page, pages, found.length, asked)}
</div>
</section>
<aside>
<section class="panel" data-live="gaps"><h2>Gaps</h2>${gapList(gaps, names)}</section>
${shown.refusals() === null ? null : writes(shown, names)}
</aside>
</div>`
}

function figures(hosts: number, gaps: readonly ShownGap[] | null, shown: Shown): Html {
  const [style, answer] =
    gaps === null
      ? ['dim', 'Looking for gaps']
      : gaps.length === 0
        ? ['good', 'No gap is open']
        : ['bad', `${plural(gaps.length, 'gap')} open`]
  const refused = shown.refusals()
  const figure = (name: string, count: number) => html`<div><dt>${name}</dt><dd>${count.toLocaleString('en')}</dd></div>`
  return html`<p class="answer ${style}">${answer}</p>
<dl>${figure(hosts === 1 ? 'host' : 'hosts', hosts)}${refused === null ? null : [figure('held', shown.held().length), figure('refused', refused.length)]}</dl>`
}

function writes(shown: Shown, names: boolean): Html {
  return html`<section class="panel" data-live="held"><h2>Held now</h2>${writeList(shown.held(), names, 'Nothing is held.')}</section>
<section class="panel" data-live="refusals"><h2>Refused lately</h2>${writeList((shown.refusals() ?? []).slice(0, MOST_WRITES), names, 'Nothing.')}</section>`
}

function hostRow({ host, context }: HostEntry, picture: readonly PortPicture[] | null, names: boolean): Html {
  const [name = '', ...rest] = host.split('.')
  const ports = picture ?? []
  const worst = (['lost', 'partial', 'unknown'] as const).find((state) => ports.some((port) => port.state === state)) ?? 'served'
  const query = new URLSearchParams({ host, as: formatContext(context) })
  const where = context.kind === 'gateway' ? html`<span class="tag">${names ? `gateway ${context.namespace}` : 'gateway'}</span>` : null
  return html`<li class="row ${worst}"><a href="host?${query.toString()}"><span class="dot" title="${STATES[worst]}"></span><span class="name"><b>${name}</b>${rest.length === 0 ? null : html`<span class="dim">.${rest.join('.')}</span>`} ${where}<span class="hidden">: ${STATES[worst]}</span></span></a>
<div class="ports">${picture === null ? html`<p class="dim">Too large to show here.</p>` : ports.length === 0 ? html`<p class="dim">No port that HTTP or TCP reaches.</p>` : ports.map(portRow)}</div></li>`
}

function portRow({ port, segments, conditions, state }: PortPicture): Html {
  const more = conditions === 0 ? '' : `+ ${plural(conditions, 'condition')}`
  const shares =
    state === 'partial'
      ? html`<p class="warn note">${plural(conditions, 'condition')}; every other request gets 404</p>`
      : html`${bar(segments)}${legend(segments, more)}`
  return html`<div class="port"><span class="num dim">:${port}</span><div>${shares}</div></div>`
}

function pager(page: number, pages: number, found: number, asked: URLSearchParams): Html {
  const link = (to: number, text: string, rel: string) => {
    const query = new URLSearchParams(asked)
    query.set('page', String(to))
    return to < 1 || to > pages ? html`<span class="dim">${text}</span>` : html`<a rel="${rel}" href="?${query.toString()}">${text}</a>`
  }
  return html`<nav class="pager" aria-label="Pages">${link(page - 1, 'Previous', 'prev')}<span class="dim num">${page} of ${pages}, ${plural(found, 'host')}</span>${link(page + 1, 'Next', 'next')}</nav>`
}

function gapList(gaps: readonly ShownGap[] | null, names: boolean): Html {
  if (gaps === null) return html`<p class="empty">Every host is being looked at.</p>`
  if (gaps.length === 0) return html`<p class="empty">None.</p>`
  const shown = gaps.slice(0, MOST_GAPS)
  return html`<ul class="notes">${shown.map(
    ({ rule, host, object, text }) =>
      html`<li><a href="host?${new URLSearchParams({ host }).toString()}">${host}</a><p>${names ? text.replaceAll(`${host}:`, ':').replaceAll(`${host} `, '') : 'Some requests get no answer.'}</p><p class="dim">${names && object !== null ? `${object} · ` : ''}<code>${rule}</code></p></li>`
  )}</ul>${gaps.length > shown.length ? html`<p class="dim">and ${gaps.length - shown.length} more: <code>hitless audit --cluster</code> lists them</p>` : null}`
}

function writeList(writes: readonly ShownWrite[], names: boolean, none: string): Html {
  if (writes.length === 0) return html`<p class="empty">${none}</p>`
  return html`<ul class="notes">${writes.map(
    ({ atMs, write, user, message, refused }) =>
      html`<li><p class="head"><b>${names ? write : write.split(' ').slice(0, 2).join(' ')}</b>${message === '' || refused ? null : html` <span class="tag">would be refused</span>`}<time class="dim num" datetime="${new Date(atMs).toISOString()}">${new Date(atMs).toISOString().slice(11, 19)}</time></p>${names && message !== '' ? html`<p>${message}</p>` : null}${names ? html`<p class="dim">${user}</p>` : null}</li>`
  )}</ul>`
}
