package weir.bench;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;

/** Runs one workload until the process is told to end. It is measured from outside. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        Options options = new Options(arguments);
        List<KafkaStreams> applications = Topologies.of(options).entrySet().stream()
                .map(entry -> {
                    Properties config = config(entry.getKey(), options);
                    return new KafkaStreams(entry.getValue().build(config), config);
                })
                .toList();
        Runtime.getRuntime().addShutdownHook(new Thread(
                () -> applications.forEach(it -> it.close(Duration.ofSeconds(30)))));
        applications.forEach(application -> {
            application.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1); // who measures sees that it ended
                throw new IllegalStateException(error);
            });
            application.start();
        });
    }

    /** Exactly once and all else as it comes, but for what `--set` says. */
    private static Properties config(String id, Options options) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.text("bootstrap"));
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.text("commit-ms"));
        // Each update goes out, as in weir.
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        config.put(StreamsConfig.STATE_DIR_CONFIG, options.text("state"));
        config.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        config.putAll(options.settings());
        return config;
    }
}
