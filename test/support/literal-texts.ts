/** What a component says by itself, read from its syntax tree: texts that the catalogue does not have. */
import { parse } from "svelte/compiler";

/** An attribute of an element, or of a component, that somebody reads or hears. */
const spokenAttributes = new Set([
  "aria-label",
  "aria-description",
  "aria-roledescription",
  "aria-valuetext",
  "title",
  "placeholder",
  "alt",
  "label",
  "heading",
  "hint",
  "what",
  "caption",
  "note",
  "text",
  "legend",
  "lead",
  "message",
]);

/** Elements whose content is code, a key of the keyboard, or no text. */
const unspokenElements = new Set(["code", "kbd", "style", "script"]);

interface SyntaxNode {
  type: string;
  [field: string]: unknown;
}
const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && typeof (value as SyntaxNode).type === "string";
const childrenOf = (node: SyntaxNode): SyntaxNode[] =>
  Object.entries(node)
    .filter(([field]) => field !== "metadata")
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]))
    .filter(isNode);

/** What an expression may come to, where that is written there: both sides of a condition, the parts of a sum. */
function literalsOf(expression: SyntaxNode): string[] {
  const of = (...fields: string[]) => fields.flatMap((field) => literalsOf(expression[field] as SyntaxNode));
  switch (expression.type) {
    case "Literal":
      return typeof expression.value === "string" ? [expression.value] : [];
    case "TemplateLiteral":
      return [
        ...(expression.quasis as { value: { cooked: string } }[]).map(({ value }) => value.cooked),
        ...(expression.expressions as SyntaxNode[]).flatMap(literalsOf),
      ];
    case "ConditionalExpression":
      return of("consequent", "alternate");
    case "LogicalExpression":
    case "BinaryExpression":
      return expression.type === "LogicalExpression" || expression.operator === "+" ? of("left", "right") : [];
    default:
      return [];
  }
}

function textsOf(value: unknown): string[] {
  const parts = (Array.isArray(value) ? value : [value]).filter(isNode);
  return parts.flatMap((part) =>
    part.type === "Text" ? [part.data as string] : literalsOf(part.expression as SyntaxNode),
  );
}

/** Texts with a letter in them: between tags, in attributes that are read or heard, and in expressions at either place. */
export function literalTexts(source: string): string[] {
  const found: string[] = [];
  const visit = (node: SyntaxNode): void => {
    if (unspokenElements.has(node.name as string) && node.type === "RegularElement") return;
    if (node.type.endsWith("Directive")) return;
    if (node.type === "Attribute") {
      if (spokenAttributes.has(node.name as string)) found.push(...textsOf(node.value));
      return;
    }
    if (node.type === "Text" || node.type === "ExpressionTag") found.push(...textsOf(node));
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parse(source, { modern: true }).fragment as unknown as SyntaxNode);
  return found.map((text) => text.trim()).filter((text) => /\p{L}/u.test(text));
}
