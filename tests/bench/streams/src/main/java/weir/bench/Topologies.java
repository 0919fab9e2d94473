package weir.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;

/** The workloads: those of the guest `bench`, word for word, and the order system. */
final class Topologies {
    /** Keys are Bytes, since stores compare them. */
    private static final Serde<Bytes> KEY = Serdes.Bytes();
    private static final Serde<byte[]> VALUE = Serdes.ByteArray();
    private static final Duration MINUTE = Duration.ofMinutes(1);

    private Topologies() {}

    /** The applications of the workload by their ids. */
    static Map<String, StreamsBuilder> of(Options options) {
        String id = options.text("id");
        if (options.workload().equals("orders")) {
            return Orders.services(id);
        }
        StreamsBuilder builder = new StreamsBuilder();
        String in = options.text("in");
        String out = options.text("out");
        switch (options.workload()) {
            case "passthrough" -> rows(builder, in)
                    .mapValues(value -> value)
                    .to(out, Produced.with(KEY, VALUE));
            case "map" -> builder.stream(in, Consumed.with(KEY, Json.of(Line.class)))
                    .mapValues(Line::priced)
                    .to(out, Produced.with(KEY, Json.of(Priced.class)));
            case "count" -> groups(builder, in)
                    .count()
                    .toStream()
                    .to(out, Produced.with(KEY, Serdes.Long()));
            case "latest" -> groups(builder, in)
                    .aggregate(() -> new byte[8], (key, value, state) -> latest(value, state),
                            Materialized.with(KEY, VALUE))
                    .toStream()
                    .mapValues(state -> ByteBuffer.wrap(state).getLong())
                    .to(out, Produced.with(KEY, Serdes.Long()));
            case "join" -> {
                KTable<Bytes, byte[]> table =
                        builder.table(options.text("table"), Consumed.with(KEY, VALUE));
                rows(builder, in)
                        .join(table, Topologies::concat, Joined.with(KEY, VALUE, VALUE))
                        .to(out, Produced.with(KEY, VALUE));
            }
            case "window" -> groups(builder, in)
                    .windowedBy(TimeWindows.ofSizeWithNoGrace(MINUTE))
                    .count()
                    .toStream()
                    .to(out, Produced.with(
                            new WindowedSerdes.TimeWindowedSerde<>(KEY, MINUTE.toMillis()),
                            Serdes.Long()));
            default -> throw new IllegalArgumentException("no workload " + options.workload());
        }
        return Map.of(id, builder);
    }

    private static KStream<Bytes, byte[]> rows(StreamsBuilder builder, String topic) {
        return builder.stream(topic, Consumed.with(KEY, VALUE));
    }

    private static KGroupedStream<Bytes, byte[]> groups(StreamsBuilder builder, String topic) {
        return rows(builder, topic).groupByKey(Grouped.with(KEY, VALUE));
    }

    /** A count, followed by the last value: for a large state. */
    private static byte[] latest(byte[] value, byte[] state) {
        long count = ByteBuffer.wrap(state).getLong() + 1;
        return ByteBuffer.allocate(8 + value.length).putLong(count).put(value).array();
    }

    private static byte[] concat(byte[] left, byte[] right) {
        return ByteBuffer.allocate(left.length + right.length).put(left).put(right).array();
    }

    /** A line of an order. */
    record Line(
            long id,
            long customer,
            String product,
            long quantity,
            @JsonProperty("price_cents") long priceCents,
            String note) {
        Priced priced() {
            return new Priced(id, customer, product, quantity * priceCents, note);
        }
    }

    /** The line with what it costs. */
    record Priced(
            long id,
            long customer,
            String product,
            @JsonProperty("total_cents") long totalCents,
            String note) {}
}
