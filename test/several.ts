/** `node test/several.ts` runs the test files that standard input names, a line each, one after another in this process, each as a subtest of its name: what all of them import is loaded and compiled once. */
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { timeoutMs } from './groups.ts'

const SCHEME = 'tap-of:'

/** The test that a file gets for its `import t from 'tap'`. */
const given: Record<string, unknown> = {}
Object.assign(globalThis, { testsOfFiles: given })
const byUrl = new Map<string, string>()

registerHooks({
  resolve: (specifier, context, next) => {
    const file = byUrl.get(context.parentURL ?? '')
    if (specifier !== 'tap' || file === undefined) return next(specifier, context)
    return { url: `${SCHEME}${file}`, shortCircuit: true }
  },
  load: (url, context, next) => {
    if (!url.startsWith(SCHEME)) return next(url, context)
    const source = `export default globalThis.testsOfFiles[${JSON.stringify(url.slice(SCHEME.length))}]`
    return { format: 'module', source, shortCircuit: true }
  }
})

t.setTimeout(0)
for await (const file of createInterface(process.stdin)) {
  const { href } = pathToFileURL(join(process.cwd(), file))
  byUrl.set(href, file)
  const found = await t.test(file, { timeout: timeoutMs(file) }, async (t) => {
    given[file] = t
    await import(href)
  })
  if (found?.count === 0) t.fail(`${file} asserts nothing`)
}
