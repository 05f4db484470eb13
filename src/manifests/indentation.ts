/**
 * Within brackets and quotes go-yaml, by which kubectl and the API server read, takes lines wherever they start; YAML 1.2 wants them
 * further right than the key they belong to. Lines that start too early are moved right.
 */
import type { YAMLException } from 'js-yaml'

/** Each line that is moved costs another parse of its document: of so many characters in all. */
const MOST_CHARACTERS = 1 << 26
/** Enough for any depth that is read. */
const SPACES = ' '.repeat(1024)

export class Indentation {
  #text: string
  #left = MOST_CHARACTERS
  /** Where lines that were moved start in the original. */
  readonly #moved: number[] = []

  constructor(text: string) {
    this.#text = text
  }

  get text(): string {
    return this.#text
  }

  /** The place in the original of one in `text`. */
  original(offset: number): number {
    let shift = 0
    for (const start of this.#moved) {
      if (offset < start + shift) break
      shift += Math.min(SPACES.length, offset - start - shift)
    }
    return offset - shift
  }

  /** Moves the line of which the parser complains; false where that is not what it complains of, or does not help. */
  mend({ reason, mark }: YAMLException): boolean {
    if (reason !== 'deficient indentation' || mark === null || mark === undefined) return false
    const start = lineStart(this.#text, mark.position)
    const original = this.original(start)
    this.#left -= this.#text.length
    if (this.#moved.at(-1) === original || this.#left < 0) return false
    this.#moved.push(original)
    this.#text = `${this.#text.slice(0, start)}${SPACES}${this.#text.slice(start)}`
    return true
  }
}

function lineStart(text: string, position: number): number {
  return Math.max(text.lastIndexOf('\n', position - 1), text.lastIndexOf('\r', position - 1)) + 1
}
