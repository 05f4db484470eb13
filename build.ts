/**
 * Makes `dist`. At the desk most of the time of a command is its start, and most of that is Node looking for files and reading what nobody asked for:
 *
 * - All that `src/cli/program.ts` imports, packages included, is one file. What a command imports when it comes to it, and the packages of the server and of the
 *   cluster, stay apart.
 * - Node's own modules are asked for by `process.getBuiltinModule`: an import reads every export of them, behind some of which more modules are loaded.
 */
import { join } from 'node:path'
import { type Plugin, rolldown } from 'rolldown'

const PROGRAM = join(import.meta.dirname, 'src/cli/program.ts')
/** The packages that commands at the desk need. */
const DESK = ['commander', 'js-yaml', 're2js']

interface Graph {
  readonly getModuleInfo: (id: string) => { readonly importedIds: readonly string[] } | null
}

const builtins: Plugin = {
  name: 'builtins',
  // Not for rolldown's own few lines.
  resolveId: (id, importer) => (id.startsWith('node:') && !importer?.startsWith('\0') ? `\0${id}` : null),
  load: (id) => {
    if (!id.startsWith('\0node:')) return null
    const asked = `process.getBuiltinModule('${id.slice(1)}')`
    // Only git and commands that are programs of their own need it; it loads half of Node.
    if (id === '\0node:child_process') return `export const spawnSync = (...args) => ${asked}.spawnSync(...args)\nexport default {}`
    return `module.exports = ${asked}`
  }
}

let eager: Set<string> | undefined

/** Whether the program imports a module before it knows its command. */
function isEager(id: string, graph: Graph): boolean {
  eager ??= importsOf(PROGRAM, graph)
  return eager.has(id)
}

function importsOf(start: string, graph: Graph): Set<string> {
  const found = new Set([start])
  for (const id of found) for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) found.add(imported)
  return found
}

const bundle = await rolldown({
  input: { main: 'src/main.ts', watchdog: 'src/watchdog.ts', 'cli/program': PROGRAM },
  platform: 'node',
  transform: { target: 'node24' },
  external: (id) => /^(?!node:)[\w@]/.test(id) && !DESK.includes(id),
  plugins: [builtins]
})
await bundle.write({
  dir: 'dist',
  cleanDir: true,
  chunkFileNames: 'parts/[name]-[hash].js',
  codeSplitting: {
    groups: [
      {
        debugName: 'eager',
        name: (id, graph) => (id.startsWith('\0node:') ? 'builtins' : isEager(id, graph) ? 'program' : null)
      }
    ]
  }
})
