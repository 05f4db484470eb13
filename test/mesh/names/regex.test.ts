import t from 'tap'
import { literalStart, matchesAllBelow, matchesWhole } from '../../../src/mesh/names/regex.ts'

const OPEN = [
  '/cart.*',
  '^/cart.*$',
  '/cart(.*)',
  '/c[a-z]+(?:.*)',
  '(?i)/CART.*',
  '/(cart|basket).*',
  '/c.*',
  '/ca{1,2}rt.*',
  '\\/cart.*',
  '/cart/?.*'
]
const CLOSED: Readonly<Record<string, string>> = {
  'a choice that ends': '/basket.*|/cart',
  'a choice that is open, behind one that ends': '/cart|/basket.*',
  'a dot that is escaped': '/cart\\.*',
  'a star of a class': '/cart[.*]?',
  'an end before the end': '/cart$.*',
  'a word that ends': '/cart\\b.*',
  'what does not match the beginning': '/cart/.*',
  'one more at least': '/cart.+',
  'what may follow a slash': '/cart(/.*)?',
  'what is quoted': '\\Q/cart\\E.*',
  'what is no RE2': '/cart(?=x).*'
}
const TEXTS = ['', '/', 'x', '.', '*', '/checkout', '?a=b', 'cart', '-1']

t.test('an open end takes all that begins so', async (t) => {
  for (const pattern of OPEN) {
    t.ok(matchesAllBelow(pattern, '/cart'), pattern)
    for (const text of TEXTS) t.ok(matchesWhole(pattern, `/cart${text}`), `${pattern} of /cart${text}`)
  }
})

t.test('no other does, as far as is known', async (t) => {
  for (const [what, pattern] of Object.entries(CLOSED)) t.notOk(matchesAllBelow(pattern, '/cart'), `${what}: ${pattern}`)
})

const STARTS: Readonly<Record<string, string>> = {
  '/cart.*': '/cart',
  '^/cart/v\\d+$': '/cart/v',
  '\\/cart\\.json': '/cart.json',
  '/carts?': '/cart',
  '/carts*': '/cart',
  '/carts{0,2}': '/cart',
  '/carts+': '/carts',
  '/(cart|basket)': '/',
  '/cart|/basket': '',
  '(?i)/cart': '',
  '[/]cart': '',
  '/caf\u00e9.*': '/caf\u00e9'
}

t.test('every text that is matched begins with the plain characters of the pattern', async (t) => {
  for (const [pattern, start] of Object.entries(STARTS)) t.equal(literalStart(pattern), start, pattern)
})
