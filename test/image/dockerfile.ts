/** The Dockerfile without a container engine: its stages as folders, made by its own COPY and RUN steps. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export interface Image {
  /** The folder that is the root of its files. */
  readonly root: string
  readonly workdir: string
  readonly user: string
  readonly entrypoint: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

interface Step {
  readonly instruction: string
  readonly words: readonly string[]
  readonly text: string
}

/** What is copied from the repository. */
export function contextPaths(): string[] {
  const copied = steps().filter(({ instruction, words }) => instruction === 'COPY' && !words[0]?.startsWith('--from='))
  return copied.flatMap(({ words }) => words.slice(0, -1))
}

/** Makes every stage under `folder`, and gives the last. What the base images hold is not there. */
export function buildImage(folder: string): Image {
  const stages = new Map<string, string>()
  let image: Image = { root: '', workdir: '/', user: '', entrypoint: [], env: {} }
  for (const { instruction, words, text } of steps()) {
    const cwd = join(image.root, image.workdir)
    switch (instruction) {
      case 'FROM': {
        const name = words[2] ?? 'image'
        image = { root: join(folder, name), workdir: '/', user: '', entrypoint: [], env: {} }
        stages.set(name, image.root)
        mkdirSync(image.root)
        break
      }
      case 'WORKDIR':
        image = { ...image, workdir: text }
        mkdirSync(join(image.root, text), { recursive: true })
        break
      case 'COPY':
        copy(words, cwd, stages)
        break
      case 'RUN':
        execFileSync('env', ['-i', ...environment(), 'sh', '-ec', text], { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
        break
      case 'USER':
        image = { ...image, user: text }
        break
      case 'ENTRYPOINT':
        image = { ...image, entrypoint: JSON.parse(text) as string[] }
        break
      case 'ENV': {
        const [name = '', value = ''] = text.split('=')
        image = { ...image, env: { ...image.env, [name]: value } }
        break
      }
      case 'LABEL':
      case 'EXPOSE':
      case 'CMD':
        break
      default:
        throw new Error(`${instruction} is not understood here`)
    }
  }
  return image
}

function steps(): Step[] {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').split('\n')
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [instruction = '', ...words] = line.split(' ')
      return { instruction, words, text: words.join(' ') }
    })
}

function copy(words: readonly string[], cwd: string, stages: ReadonlyMap<string, string>): void {
  const stage = words[0]?.startsWith('--from=') ? words[0].slice('--from='.length) : null
  const paths = stage === null ? words : words.slice(1)
  const target = join(cwd, paths.at(-1) ?? '')
  for (const path of paths.slice(0, -1)) {
    const source = join(stage === null ? ROOT : (stages.get(stage) ?? ''), path)
    cpSync(source, statSync(source).isDirectory() ? target : join(target, basename(path)), { recursive: true, verbatimSymlinks: true })
  }
}

/** The Node of the base image is that of the tests here; what npm and tap tell their children is not for a build. */
export function environment(): string[] {
  const { HOME, PATH } = process.env
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(https?_proxy|no_proxy|node_extra_ca_certs|npm_config_(registry|cache|cafile|userconfig))$/i.test(name)
  )
  const own = { HOME, PATH: [dirname(process.execPath), PATH].join(delimiter), npm_config_prefer_offline: 'true' }
  return [...kept, ...Object.entries(own)].map(([name, value]) => `${name}=${value}`)
}
