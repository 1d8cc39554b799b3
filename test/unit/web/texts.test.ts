/** Texts of the dashboard: where they stand, in which language they are said, and that every language has room. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { area, type Messages, speak } from "../../../web/src/texts/area.ts";
import { counted } from "../../../web/src/texts/counted.ts";
import { type Language, languageFor } from "../../../web/src/texts/locale.ts";
import { pseudoText, translate } from "../../../web/src/texts/pseudo.ts";
import { literalTexts } from "../../support/literal-texts.ts";
import { root, type SourceFile, sourcesIn } from "../../support/source-files.ts";

const web = sourcesIn("web/src");
const components = web.filter(({ path }) => path.endsWith(".svelte"));
const areaNames = readdirSync(join(root, "web/src/texts/en")).map((file) => file.replace(/\.ts$/, ""));

/** What may stand in a component: the product's own name, and addresses that only show a form. */
const untranslated = /^(?:· )?Tidemark$|^tidemark$|^https:\/\//;

test("no component says anything by itself: texts between tags and in attributes come from the catalogue", () => {
  const literal = components.flatMap(({ path, text }) =>
    literalTexts(text)
      .filter((said) => !untranslated.test(said))
      .map((said) => `${path}: ${said}`),
  );
  expect(literal).toEqual([]);
});

test("a text is found between tags, in an attribute and in either branch of an expression, and code is no text", () => {
  const found = literalTexts(
    `<p title="A" class="B">C {x ? "D" : y} {f("E")}<code>F</code><Field label={z ?? "G"} value="H" /></p>`,
  );
  expect(found.sort()).toEqual(["A", "C", "D", "G"]);
});

interface Catalogue {
  [message: string]: unknown;
}
const catalogues = new Map<string, Catalogue>();
for (const name of areaNames) {
  const module: Record<string, Catalogue> = await import(`../../../web/src/texts/en/${name}.ts`);
  catalogues.set(name, Object.values(module)[0] ?? {});
}

/** The areas that a source imports, by the name that it gives each. */
function areasOf({ text }: SourceFile): { name: string; local: string }[] {
  return [...text.matchAll(/import \{ (\w+)(?: as (\w+))? \} from "[./]*texts\/en\/([\w-]+)\.ts"/g)].map(
    ([, exported, local, name]) => ({ name: name as string, local: (local ?? exported) as string }),
  );
}
const saidIn = ({ text }: SourceFile, local: string) =>
  [...text.matchAll(new RegExp(`(?<![\\w.])${local}\\.(\\w+)`, "g"))].map(({ 1: message }) => message as string);

test("every message of the catalogue is said somewhere", () => {
  const said = new Map<string, Set<string>>(areaNames.map((name) => [name, new Set()]));
  for (const file of web)
    for (const { name, local } of areasOf(file))
      for (const message of saidIn(file, local)) said.get(name)?.add(message);
  const unsaid = [...catalogues].flatMap(([name, messages]) =>
    Object.keys(messages)
      .filter((message) => !said.get(name)?.has(message))
      .map((message) => `${name}.${message}`),
  );
  expect(unsaid).toEqual([]);
});

test("every area is part of what another language has to have", () => {
  const catalogue = readFileSync(join(root, "web/src/texts/catalogue.ts"), "utf8");
  const named = [...catalogue.matchAll(/^ {2}"?([\w-]+)"?: typeof \w+;$/gm)].map(([, name]) => name);
  expect(named).toEqual([...areaNames].sort());
});

/** What a module reads of `local` while it is loaded: outside of functions. */
function readAtOnce(module: string, local: string): string[] {
  const read: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isPropertyAccessExpression(node) && node.expression.getText() === local) read.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("module.ts", module, ts.ScriptTarget.ESNext, true));
  return read;
}

test("no module keeps a text that it read while it was loaded, when another language was not there yet", () => {
  expect(readAtOnce("const a = t.one; const b = () => t.two; function c() { t.three; }", "t")).toEqual(["one"]);
  const kept = web.flatMap((file) => {
    const module = file.path.endsWith(".ts")
      ? file.text
      : /<script module[^>]*>([\s\S]*?)<\/script>/.exec(file.text)?.[1];
    return areasOf(file).flatMap(({ name, local }) =>
      readAtOnce(module ?? "", local)
        // Lists stay the same object, whose texts are replaced.
        .filter((message) => typeof catalogues.get(name)?.[message] !== "object")
        .map((message) => `${file.path}: ${message}`),
    );
  });
  expect(kept).toEqual([]);
});

test("another language takes the place of English in areas that were declared before it came and after", () => {
  const early = area("early", { title: "Title", kinds: { one: "One" }, many: (count: number) => `${count} of them` });
  const { kinds } = early;
  const german: Record<string, Messages> = {
    early: { title: "Titel", kinds: { one: "Eins" }, many: (count: number) => `${count} davon` },
    later: { title: "Später" },
  };
  speak((name, english) => german[name] ?? english);
  const later = area("later", { title: "Later" });
  expect([early.title, kinds.one, early.many(2), later.title]).toEqual(["Titel", "Eins", "2 davon", "Später"]);
  speak((_, english) => english);
});

test("the language is the one chosen, else the first that the browser prefers and there is, else English", () => {
  const language = (tag: string): Language => ({ tag, name: tag, dir: "ltr", numbers: tag, dates: tag });
  const known = [language("en"), language("de"), language("pt-BR")];
  const tagFor = (chosen: string | null, ...preferred: string[]) => languageFor(chosen, preferred, known).tag;
  expect(tagFor("de", "en-US")).toBe("de");
  expect(tagFor(null, "fr", "de-AT", "en")).toBe("de");
  expect(tagFor(null, "pt-PT")).toBe("pt-BR");
  expect(tagFor("xx", "fr")).toBe("en");
  expect(tagFor(null)).toBe("en");
  expect(tagFor("en-XA", "de")).toBe("en-XA");
});

test("a number chooses its form and is written as the language writes it", () => {
  const forms = { one: "# room", other: "# rooms" };
  expect([0, 1, 2, 1250].map((count) => counted(count, forms))).toEqual([
    "0 rooms",
    "1 room",
    "2 rooms",
    "1,250 rooms",
  ]);
});

test("the pseudo-language is 40 % longer, has no plain letter, and leaves values as they are", () => {
  const text = "Figures of the last thirty days";
  expect(pseudoText(text).length).toBeGreaterThanOrEqual(Math.ceil(text.length * 1.4));
  expect(pseudoText(text)).not.toMatch(/[a-z]/i);
  const { files } = translate("", { files: (name: string, count: number) => `${count} files of ${name}` });
  expect((files as (name: string, count: number) => string)("acme", 12)).toMatch(/^12 .*acme$/);
});
