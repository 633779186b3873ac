/** The text with the words that pushed the decision: by colour, by underline, and by sign. */

import { Table } from "@mantine/core";

import type { Explanation } from "../api/client";
import { heaviest, type Piece, piecesOf } from "./pieces";

const LISTED = 6;

export function Explained({ text, explanation }: { text: string; explanation: Explanation }) {
  const listed = heaviest(explanation.words, LISTED);
  const other = explanation.sentiment === "positive" ? "negative" : explanation.sentiment === "negative" ? "positive" : "other labels";
  return (
    <>
      <p className="explained" data-testid="explained">
        {piecesOf(text, explanation).map((piece, place) => (
          <Marked key={place} piece={piece} />
        ))}
      </p>
      <p className="quiet legend">
        <mark className="push towards level-2">
          pushed towards {explanation.sentiment}
        </mark>{" "}
        <mark className="push against level-2">
          pushed towards {other}
        </mark>
      </p>
      {listed.length > 0 && (
        <details>
          <summary>The words that weighed most</summary>
          <Table className="fit">
            <caption className="hidden">Words and what the log-odds would lose without them</caption>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Word</Table.Th>
                <Table.Th scope="col">Log-odds</Table.Th>
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

function Marked({ piece }: { piece: Piece }) {
  if (!piece.read) return <span className="unread">{piece.text}</span>;
  if (piece.weight === null || piece.level === 0) return <>{piece.text}</>;
  const towards = piece.weight > 0;
  return (
    <mark className={`push ${towards ? "towards" : "against"} level-${piece.level}`} title={signed(piece.weight)}>
      {piece.text}
    </mark>
  );
}

const signed = (weight: number): string => `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`;
