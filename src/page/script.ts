/** What the page does where scripts run: it follows changes. Every part marked `data-live` is asked for again and changed in place, so that what has the focus keeps it and bars move. */
export const SCRIPT = `
'use strict'
const EVERY_MS = 2000
const live = document.getElementById('live')
let etag = ''

/** Makes one element like another, keeping what is alike. */
function become(is, shall) {
  if (is.isEqualNode(shall)) return
  if (is.nodeType !== shall.nodeType || is.nodeName !== shall.nodeName) return is.replaceWith(document.importNode(shall, true))
  if (is.nodeType !== Node.ELEMENT_NODE) {
    is.nodeValue = shall.nodeValue
    return
  }
  for (const { name } of [...is.attributes]) if (!shall.hasAttribute(name)) is.removeAttribute(name)
  for (const { name, value } of shall.attributes) if (is.getAttribute(name) !== value) is.setAttribute(name, value)
  const [own, wanted] = [[...is.childNodes], [...shall.childNodes]]
  wanted.forEach((node, at) => own[at] === undefined ? is.append(document.importNode(node, true)) : become(own[at], node))
  for (const node of own.slice(wanted.length)) node.remove()
}

function show(text) {
  const read = new DOMParser().parseFromString(text, 'text/html')
  for (const part of document.querySelectorAll('[data-live]')) {
    const found = read.querySelector('[data-live="' + part.dataset.live + '"]')
    if (found !== null) become(part, found)
  }
}

async function look() {
  if (document.hidden) return
  try {
    const answer = await fetch(location.href, { headers: etag === '' ? {} : { 'if-none-match': etag }, cache: 'no-store' })
    if (answer.status !== 200 && answer.status !== 304) throw new Error(String(answer.status))
    if (answer.status === 200) {
      etag = answer.headers.get('etag') ?? ''
      show(await answer.text())
    }
    live.className = 'live'
    live.textContent = 'Live'
  } catch {
    live.className = 'live gone'
    live.textContent = 'No answer'
  }
}

async function follow() {
  await look()
  setTimeout(follow, EVERY_MS)
}

document.addEventListener('visibilitychange', look)
document.addEventListener('keydown', (event) => {
  const search = document.querySelector('input[type=search]')
  if (event.key !== '/' || search === null || event.ctrlKey || event.metaKey || event.target.closest('input, textarea, select')) return
  event.preventDefault()
  search.focus()
})
follow()
`.trimStart()
