package weir.bench;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import weir.bench.Model.Check;
import weir.bench.Model.Customer;
import weir.bench.Model.Mail;
import weir.bench.Model.Order;
import weir.bench.Model.OrderEnriched;
import weir.bench.Model.Payment;
import weir.bench.Model.Product;
import weir.bench.Model.Result;
import weir.bench.Model.Spent;
import weir.bench.Model.State;
import weir.bench.Model.Validation;

/** The six services of the order system, as one writes them in Kafka Streams. No HTTP. */
final class Orders {
    private static final Serde<String> ID = Serdes.String();
    private static final Serde<Order> ORDER = Json.of(Order.class);
    private static final Serde<Validation> VALIDATION = Json.of(Validation.class);
    private static final Serde<Product> PRODUCT = Serdes.serdeFrom(
            (topic, product) -> product.name().getBytes(StandardCharsets.UTF_8),
            (topic, bytes) -> Product.valueOf(new String(bytes, StandardCharsets.UTF_8)));
    private static final double FRAUD_LIMIT = 2000;
    private static final int CHECKS = 3;

    private Orders() {}

    static Map<String, StreamsBuilder> services(String id) {
        Map<String, StreamsBuilder> services = new LinkedHashMap<>();
        services.put(id + "-orders", orders());
        services.put(id + "-order-details", orderDetails());
        services.put(id + "-inventory", inventory());
        services.put(id + "-fraud", fraud());
        services.put(id + "-validations", validations());
        services.put(id + "-email", email());
        return services;
    }

    /** The table that answers GETs. */
    private static StreamsBuilder orders() {
        StreamsBuilder builder = new StreamsBuilder();
        builder.table("orders", Consumed.with(ID, ORDER),
                Materialized.<String, Order, KeyValueStore<Bytes, byte[]>>as("orders-view"));
        return builder;
    }

    private static StreamsBuilder orderDetails() {
        StreamsBuilder builder = new StreamsBuilder();
        created(builder)
                .mapValues(order -> order.validation(Check.ORDER_DETAILS_CHECK,
                        order.quantity() > 0 && order.price() >= 0 && order.product() != null))
                .to("order-validations", Produced.with(ID, VALIDATION));
        return builder;
    }

    private static StreamsBuilder inventory() {
        StreamsBuilder builder = new StreamsBuilder();
        KTable<Product, Integer> stock =
                builder.table("warehouse-inventory", Consumed.with(PRODUCT, Serdes.Integer()));
        builder.addStateStore(Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore("reserved-stock"), PRODUCT, Serdes.Long()));
        created(builder)
                .selectKey((id, order) -> order.product())
                .join(stock, KeyValue::new, Joined.with(PRODUCT, ORDER, Serdes.Integer()))
                .process(Reservation::new, "reserved-stock")
                .to("order-validations", Produced.with(ID, VALIDATION));
        return builder;
    }

    /** Reserves what is there. */
    private static final class Reservation
            implements Processor<Product, KeyValue<Order, Integer>, String, Validation> {
        private ProcessorContext<String, Validation> context;
        private KeyValueStore<Product, Long> reserved;

        @Override
        public void init(ProcessorContext<String, Validation> context) {
            this.context = context;
            this.reserved = context.getStateStore("reserved-stock");
        }

        @Override
        public void process(Record<Product, KeyValue<Order, Integer>> row) {
            Order order = row.value().key;
            Long before = reserved.get(order.product());
            long after = (before == null ? 0 : before) + order.quantity();
            boolean enough = row.value().value >= after;
            if (enough) {
                reserved.put(order.product(), after);
            }
            context.forward(row.withKey(order.id())
                    .withValue(order.validation(Check.INVENTORY_CHECK, enough)));
        }
    }

    private static StreamsBuilder fraud() {
        StreamsBuilder builder = new StreamsBuilder();
        created(builder)
                .groupBy((id, order) -> order.customerId(), Grouped.with(Serdes.Long(), ORDER))
                .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(Duration.ofHours(1)))
                .aggregate(() -> new Spent(null, 0),
                        (customer, order, spent) ->
                                new Spent(order, spent.value() + order.quantity() * order.price()),
                        (customer, a, b) -> new Spent(b.last(), a.value() + b.value()),
                        Materialized.with(Serdes.Long(), Json.of(Spent.class)))
                .toStream()
                .filter((window, spent) -> spent != null)
                .map((window, spent) -> KeyValue.pair(spent.last().id(),
                        spent.last().validation(Check.FRAUD_CHECK, spent.value() < FRAUD_LIMIT)))
                .to("order-validations", Produced.with(ID, VALIDATION));
        return builder;
    }

    private static StreamsBuilder validations() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Validation> validations =
                builder.stream("order-validations", Consumed.with(ID, VALIDATION));
        KStream<String, Order> orders = created(builder);
        Duration patience = Duration.ofMinutes(5);
        JoinWindows soon = JoinWindows.ofTimeDifferenceWithNoGrace(patience);

        validations
                .groupByKey(Grouped.with(ID, VALIDATION))
                .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(patience))
                .aggregate(() -> 0L,
                        (id, validation, passed) ->
                                validation.validationResult() == Result.PASS ? passed + 1 : passed,
                        (id, a, b) -> b == null ? a : b,
                        Materialized.with(ID, Serdes.Long()))
                .toStream((window, passed) -> window.key())
                .filter((id, passed) -> passed != null && passed >= CHECKS)
                .join(orders, (passed, order) -> order.in(State.VALIDATED), soon,
                        StreamJoined.with(ID, Serdes.Long(), ORDER))
                .to("orders", Produced.with(ID, ORDER));

        validations
                .filter((id, validation) -> validation.validationResult() == Result.FAIL)
                .join(orders, (failed, order) -> order.in(State.FAILED), soon,
                        StreamJoined.with(ID, VALIDATION, ORDER))
                .groupByKey(Grouped.with(ID, ORDER))
                .reduce((first, again) -> first)
                .toStream()
                .to("orders", Produced.with(ID, ORDER));
        return builder;
    }

    private static StreamsBuilder email() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Order> orders = builder.stream("orders", Consumed.with(ID, ORDER));
        KStream<String, Payment> payments = builder
                .stream("payments", Consumed.with(ID, Json.of(Payment.class)))
                .selectKey((id, payment) -> payment.orderId());
        GlobalKTable<Long, Customer> customers = builder.globalTable(
                "customers", Consumed.with(Serdes.Long(), Json.of(Customer.class)));

        orders.join(payments, (order, payment) -> new Mail(order, payment, null),
                        JoinWindows.ofTimeDifferenceWithNoGrace(Duration.ofMinutes(1)),
                        StreamJoined.with(ID, ORDER, Json.of(Payment.class)))
                .join(customers, (id, mail) -> mail.order().customerId(),
                        (mail, customer) -> new Mail(mail.order(), mail.payment(), customer))
                .foreach((id, mail) -> { /* weir writes it to a topic, which is more */ });

        orders.join(customers, (id, order) -> order.customerId(),
                        (order, customer) ->
                                new OrderEnriched(order.id(), customer.id(), customer.level()))
                .to((id, order, context) -> order.customerLevel(),
                        Produced.with(ID, Json.of(OrderEnriched.class)));
        return builder;
    }

    private static KStream<String, Order> created(StreamsBuilder builder) {
        return builder.stream("orders", Consumed.with(ID, ORDER))
                .filter((id, order) -> order.state() == State.CREATED);
    }
}
