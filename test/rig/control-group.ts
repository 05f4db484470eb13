/** A bound on the memory of a process as the kubelet sets it, by the kernel: what takes more is ended. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = '/sys/fs/cgroup'
/** The same files by the names of version 1 and of version 2. */
const V1 = { parent: join(ROOT, 'memory'), limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes' }
const V2 = { parent: ROOT, limit: 'memory.max', peak: 'memory.peak' }

export interface ControlGroup {
  /** Holds a process, and all that it starts from then on. */
  add(pid: number): void
  /** The most bytes that were ever charged, page cache and sockets included. */
  peakBytes(): number
  /** To be called when its processes have ended. */
  remove(): void
}

/** @throws Where only root may make one, and this is somebody else. */
export function controlGroup(limitBytes: number): ControlGroup {
  const { parent, limit, peak } = existsSync(join(V1.parent, V1.limit)) ? V1 : V2
  const folder = join(parent, `hitless-test-${process.pid}`)
  const write = (file: string, value: number) => writeFileSync(join(folder, file), String(value))
  try {
    mkdirSync(folder)
    write(limit, limitBytes)
  } catch (cause) {
    throw new Error('This needs a memory control group of its own. Run it as root, where /sys/fs/cgroup may be written.', { cause })
  }
  return {
    add: (pid) => write('cgroup.procs', pid),
    peakBytes: () => Number(readFileSync(join(folder, peak), 'utf8')),
    remove: () => rmdirSync(folder)
  }
}
