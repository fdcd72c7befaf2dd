/** The import graph of the repository, read with TypeScript's own scanner: who imports whom, and whether only types. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface ImportEdge {
  /** Relative to the repository root, with forward slashes. */
  from: string;
  /** The same for our own files; the bare specifier for packages. */
  to: string;
  isPackage: boolean;
  /** Erased at run time. */
  typeOnly: boolean;
  /** Loaded by `import()` when it is needed, so it orders nothing at start. */
  lazy: boolean;
}

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const sourceFile = /\.(ts|cts|svelte)$/;

/** Source files below `folder`, relative to the root. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => sourceFile.test(name) && !name.includes('node_modules'))
    .sort();
}

/** TypeScript of a file; of a Svelte component the contents of its script tags. */
function scriptText(path: string): string {
  const text = readFileSync(join(root, path), 'utf8');
  if (!path.endsWith('.svelte')) return text;
  return [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join('\n');
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  if (clause.name || !named || !ts.isNamedImports(named)) return false;
  return named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly);
}

interface Found {
  specifier: string;
  typeOnly: boolean;
  lazy: boolean;
}

function specifiers(source: ts.SourceFile): Found[] {
  const found: Found[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ specifier: node.moduleSpecifier.text, typeOnly: isTypeOnly(node.importClause), lazy: false });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly, lazy: false });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument;
      if (ts.isStringLiteral(literal)) found.push({ specifier: literal.text, typeOnly: true, lazy: false });
    } else if (ts.isCallExpression(node) && node.arguments[0] && ts.isStringLiteralLike(node.arguments[0])) {
      const callee = node.expression;
      const loads =
        callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
      if (loads) found.push({ specifier: node.arguments[0].text, typeOnly: false, lazy: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** All imports in one text, as edges from `path`. */
export function importsIn(path: string, text: string): ImportEdge[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, false, ts.ScriptKind.TS);
  return specifiers(source).map(({ specifier, typeOnly, lazy }) => {
    const isPackage = !specifier.startsWith('.');
    const to = isPackage ? specifier : relative(root, join(root, dirname(path), specifier)).replaceAll('\\', '/');
    return { from: path, to, isPackage, typeOnly, lazy };
  });
}

export function importGraph(folders: readonly string[]): ImportEdge[] {
  return folders.flatMap(sourceFiles).flatMap((path) => importsIn(path, scriptText(path)));
}

/** One cycle of imports that run at start, as a path of files, or null. */
export function findCycle(edges: readonly ImportEdge[]): string[] | null {
  const next = new Map<string, string[]>();
  for (const { from, to, isPackage, typeOnly, lazy } of edges) {
    if (!isPackage && !typeOnly && !lazy) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const walk = (file: string, path: string[]): string[] | null => {
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    if (done.has(file)) return null;
    for (const target of next.get(file) ?? []) {
      const cycle = walk(target, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return null;
  };
  for (const file of next.keys()) {
    const cycle = walk(file, []);
    if (cycle) return cycle;
  }
  return null;
}
