/** The frame of every page, and the pieces that several have. */

import { percent } from '../output/answer.ts'
import type { Segment } from './hosts.ts'
import { Html, html } from './html.ts'

/** A bundler takes the end of a script in a template apart, by a package that nobody has. */
const SCRIPT = new Html('<script src="script.js" defer></script>')

/** A whole document. Links are relative, so that the page may stand behind a proxy of any path. */
export function document(what: string, title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} - hitless</title>
<link rel="stylesheet" href="style.css">
<link rel="icon" type="image/svg+xml" href="icon.svg">
${SCRIPT}
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="bar"><a class="mark" href="./">hitless</a><span class="what">${what}</span><span class="live" id="live" role="status"></span></header>
<main id="main">
${body}
</main>
</body>
</html>
`.text
}

export function notFound(text: string): Html {
  return html`<section class="panel empty"><h1>${text}</h1><p><a href="./">All hosts</a></p></section>`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** Colours that tell versions apart; after the last they begin anew. */
const HUES = 6

/** A bar of all requests, cut by the versions that get them. The picture is for the eye: its words stand in the legend. */
export function bar(segments: readonly Segment[]): Html {
  const total = segments.reduce((sum, { share }) => sum + share, 0)
  let x = 0
  const parts = segments.map((segment, at) => {
    const width = total === 0 ? 0 : (segment.share / total) * 100
    const part = html`<rect class="${hue(segment, at, segments.length)}" x="${x.toFixed(2)}%" y="0" width="${width.toFixed(2)}%" height="100%"/>`
    x += width
    return part
  })
  return html`<svg class="share" width="100%" height="8" aria-hidden="true">${parts}</svg>`
}

/** `more` comes after the versions. */
export function legend(segments: readonly Segment[], more = ''): Html {
  return html`<ul class="legend">${segments.map(
    (segment, at) =>
      html`<li><i class="key ${hue(segment, at, segments.length)}"></i><b>${segment.label}</b> <span class="num">${percent(segment.share)}</span> <span class="${segment.lost === null ? 'dim' : 'bad'}">${standing(segment)}</span></li>`
  )}${more === '' ? null : html`<li class="dim">${more}</li>`}</ul>`
}

function standing({ ready, lost, label }: Segment): string {
  if (lost !== null) return lost
  if (label.startsWith('redirect') || label.startsWith('answers')) return ''
  return ready === null ? 'Pods unknown' : `${ready} Ready`
}

/** Where all goes one way there is nothing to tell apart. */
function hue({ lost, ready }: Segment, at: number, of: number): string {
  if (lost !== null) return 'lost'
  if (ready === null) return 'unknown'
  return of === 1 ? 'one' : `v${at % HUES}`
}
