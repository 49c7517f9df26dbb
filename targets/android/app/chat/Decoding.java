package edgekit.phone.loops;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Tokens to text: a character may be split between two of them. */
final class Decoding {
    private final ChatLoop.Pieces pieces;
    private final CharsetDecoder decoder = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private final StringBuilder text = new StringBuilder();
    private ByteBuffer left = ByteBuffer.allocate(0);
    private boolean finished;
    int tokens;

    Decoding(ChatLoop.Pieces pieces) {
        this.pieces = pieces;
    }

    void take(byte[] piece) {
        tokens++;
        decode(piece, false);
    }

    void finish() {
        if (!finished) {
            finished = true;
            decode(new byte[0], true);
        }
    }

    String text() {
        return text.toString();
    }

    private void decode(byte[] piece, boolean last) {
        ByteBuffer in = ByteBuffer.allocate(left.remaining() + piece.length);
        in.put(left).put(piece);
        in.flip();
        CharBuffer out = CharBuffer.allocate(in.remaining() + 4);
        decoder.decode(in, out, last);
        left = in;
        out.flip();
        if (out.length() > 0) {
            text.append(out);
            if (!last) {
                pieces.piece(out.toString());
            }
        }
    }
}
