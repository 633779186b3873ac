/** The text with the words that pushed the decision: by colour, by underline, and by sign. */

import { Table } from "@mantine/core";

import type { Explanation } from "../api/client";
import { SIGNS, toneOf } from "../figures";
import { heaviest, type Piece, piecesOf, sideOf } from "./pieces";

const LISTED = 6;

export function Explained({ text, explanation }: { text: string; explanation: Explanation }) {
  const listed = heaviest(explanation.words, LISTED);
  const { sentiment } = explanation;
  const other = { positive: "negative", negative: "positive", neutral: "other labels" }[toneOf(sentiment)];
  return (
    <>
      <p className="explained" data-testid="explained">
        {piecesOf(text, explanation).map((piece, place) => (
          <Marked key={place} piece={piece} sentiment={sentiment} />
        ))}
      </p>
      <p className="quiet legend">
        <mark className={`push ${sideOf(1, sentiment)} level-2`}>pushed towards {sentiment}</mark>{" "}
        <mark className={`push ${sideOf(-1, sentiment)} level-2`}>pushed towards {other}</mark>
      </p>
      {listed.length > 0 && (
        <details>
          <summary>The words that weighed most</summary>
          <Table className="fit">
            <caption className="hidden">Words, and what the log-odds of {sentiment} owe to them</caption>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Word</Table.Th>
                <Table.Th scope="col">Log-odds of {sentiment}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {listed.map((word) => (
                <Table.Tr key={word.start}>
                  <Table.Td>{word.text}</Table.Td>
                  <Table.Td className="number">{signed(word.weight)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </details>
      )}
    </>
  );
}

function Marked({ piece, sentiment }: { piece: Piece; sentiment: string }) {
  if (!piece.read) return <span className="unread">{piece.text}</span>;
  if (piece.weight === null || piece.level === 0) return <>{piece.text}</>;
  return (
    <mark className={`push ${sideOf(piece.weight, sentiment)} level-${piece.level}`} title={`${signed(piece.weight)} to the log-odds of ${sentiment}`}>
      {piece.text}
    </mark>
  );
}

const signed = (weight: number): string => `${weight < 0 ? SIGNS.negative : SIGNS.positive}${Math.abs(weight).toFixed(2)}`;
