/** Reads the text exposition format of Prometheus, strictly: what it does not know is a failure. */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export function parseExposition(text: string): Sample[] {
  if (!text.endsWith("\n")) throw new Error("the exposition does not end with a line end");
  const samples: Sample[] = [];
  const typed = new Set<string>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# HELP ")) continue;
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (?:counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type) {
      if (typed.has(type[1] as string)) throw new Error(`${type[1]} is typed twice`);
      typed.add(type[1] as string);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    const value = Number(sample?.[3]?.replace("Inf", "Infinity"));
    // A mean of no measurements is written as Nan, which Prometheus reads in any case of letters.
    if (!sample || (Number.isNaN(value) && sample[3]?.toLowerCase() !== "nan"))
      throw new Error(`not a line of an exposition: ${line}`);
    const labels = [...(sample[2] ?? "").matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\n"])*)"(?:,|$)/g)];
    if (labels.map(([label]) => label).join("") !== (sample[2] ?? "")) throw new Error(`not labels: ${line}`);
    samples.push({
      name: sample[1] as string,
      labels: Object.fromEntries(labels.map(([, name, text]) => [name as string, text as string])),
      value,
    });
  }
  return samples;
}

/** The sum of the samples of the name that have these labels. */
export function sumOf(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  if (found.length === 0) throw new Error(`no sample ${name} ${JSON.stringify(labels)}`);
  return found.reduce((sum, { value }) => sum + value, 0);
}
