import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ERRORS, HitlessError } from '../src/errors.ts'

const SRC = join(import.meta.dirname, '../src')

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
  .map((file) => readFileSync(join(SRC, file), 'utf8'))
  .join('\n')

t.test('every code is used, and every code in use is in the table', async (t) => {
  const used = new Set(sources.match(/\bHITLESS_[A-Z_]+\b/g))
  t.strictSame([...used].sort(), Object.keys(ERRORS).sort())
})

t.test('every code says what it means, and what the exit code and the status are', async (t) => {
  for (const [code, { exit, http, meaning }] of Object.entries(ERRORS)) {
    t.match(meaning, /^[a-z].{15,}[^.]$/, code)
    t.ok(exit >= 1 && exit <= 3, code)
    t.ok(http >= 400 && http < 600, code)
  }
})

t.test('an error keeps its code, its cause, and what the table says of it', async (t) => {
  const cause = new Error('refused')
  const error = new HitlessError('HITLESS_UNREACHABLE', 'the cluster does not answer', { cause })
  t.match(error, { name: 'HitlessError', code: 'HITLESS_UNREACHABLE', message: 'the cluster does not answer', exit: 3, http: 503 })
  t.equal(error.cause, cause)
})
